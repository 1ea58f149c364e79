import { describe, expect, test } from "vitest";
import {
  aContainer,
  aFleet,
  aHost,
  anEntry,
  anObserved,
  anUpdatePolicy,
  aSnapshot,
  digest,
  fleetName,
  hostName,
  someOrders,
} from "../test/build.ts";
import { check } from "./check.ts";
import { nextEpochBase } from "./life.ts";
import type { OrderedInstance } from "./orders.ts";
import type { Plan } from "./plan.ts";
import { reconcile } from "./reconcile.ts";
import type { Observed } from "./report.ts";
import type { FleetRecord, HostView, Snapshot } from "./snapshot.ts";

/** A host that has applied orders with these entries and reports these observations. */
const host = (
  name: string,
  entries: readonly OrderedInstance[] = [],
  observed: readonly Observed[] = [],
  over: Partial<HostView> = {},
): HostView => aHost(name, { instances: observed }, { orders: someOrders(name, entries), ...over });

/** The plan, which the checker must agree to. */
function plan(
  fleets: readonly FleetRecord[],
  hosts: readonly HostView[],
  over: Partial<Snapshot> = {},
): Plan {
  const snapshot = aSnapshot(fleets, hosts, over);
  const made = reconcile(snapshot);
  expect(check(snapshot, made)).toEqual([]);
  return made;
}

/** "h1: web-0000.1 run, web-0001.1 stop" for every document that is written. */
const written = (made: Plan): string[] =>
  made.orders.map(({ host: name, instances }) => {
    const entries = instances.map((one) => `${one.name}.${one.incarnation} ${one.desired}`);
    return `${name}: ${entries.join(", ")}`;
  });

const actions = (made: Plan): string[] =>
  made.actions.map((one) => `${one.kind} ${one.instance}.${one.incarnation} on ${one.host}`);

const reasons = (made: Plan): string[] =>
  made.waiting.map((one) => `${one.instance}: ${one.reason}`);

const ready = (over: Partial<Observed> = {}) => anObserved(over);
const stopped = (over: Partial<Observed> = {}) =>
  anObserved({ phase: "stopped", exit: "success", ...over });

const changed = (spec: Partial<FleetRecord["spec"]> = {}) =>
  aFleet({ template: aContainer({ command: ["new"] }), ...spec }, { template: digest("a2") });
const wish = (over: Partial<FleetRecord["wishes"][number]>) =>
  aFleet({}, { wishes: [{ index: 0, isStopped: false, minIncarnation: 0, ...over }] });

describe("a fleet that is declared", () => {
  test("is spread over the hosts, with one document each", () => {
    const made = plan([aFleet({ replicas: 4 })], [aHost("h1"), aHost("h2")]);
    expect(written(made)).toEqual([
      "h1: web-0000.1 run, web-0002.1 run",
      "h2: web-0001.1 run, web-0003.1 run",
    ]);
    expect(made.orders.map((one) => [one.epoch, one.generation])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(made.orders[0]?.templates.map((one) => one.digest)).toEqual([digest("a1")]);
    expect(made.orders[0]?.fleets.map((one) => one.name)).toEqual(["web"]);
    expect(made.actions.map((one) => one.kind)).toEqual(["create", "create", "create", "create"]);
  });

  test("and runs as it shall changes nothing, even under a later epoch", () => {
    const made = plan([aFleet()], [host("h1", [anEntry()], [ready()])], { epoch: 7 });
    expect(made).toEqual({
      orders: [],
      actions: [],
      waiting: [],
      notes: [],
      fleets: [],
      forgottenFleets: [],
      watched: new Set(),
    });
  });

  test("waits with a count per rule where it fits nowhere (I8)", () => {
    const resources = { vcpuMillis: 1000, memoryMib: 10_000, diskMib: 0 };
    const made = plan(
      [aFleet({ template: aContainer({ resources }) })],
      [aHost("h1"), aHost("h2", {}, { liveness: "unknown" })],
    );
    expect(made.orders).toEqual([]);
    expect(made.waiting).toEqual([
      {
        instance: "web-0000",
        fleet: "web",
        reason: "no host admits it",
        refusals: [
          {
            rule: "host",
            hosts: 1,
            text: "needs a host that is up and active; h2 is not heard of yet",
          },
          {
            rule: "memory",
            hosts: 1,
            text: "needs 10000 MiB of memory; the most that is free is 8192 MiB on h1",
          },
        ],
      },
    ]);
  });

  test("is kept apart from another, whichever of the two asks for it", () => {
    const resources = { vcpuMillis: 100, memoryMib: 100, diskMib: 0 };
    const web = aFleet({ template: aContainer({ resources }) });
    const placement = { ...web.spec.placement, apartFrom: [fleetName("web")] };
    const db = aFleet({ name: fleetName("db"), placement, template: aContainer({ resources }) });
    const made = plan([db, web], [aHost("h1"), aHost("h2")]);
    expect(written(made)).toEqual(["h1: db-0000.1 run", "h2: web-0000.1 run"]);
    expect(reasons(plan([db, web], [aHost("h1")]))).toEqual(["web-0000: no host admits it"]);
  });

  test("takes more only while the capacity times overcommit has room (I3)", () => {
    const capacity = { vcpuMillis: 1000, memoryMib: 8192, diskMib: 0 };
    const hosts = [aHost("h1", { capacity })];
    expect(plan([aFleet({ replicas: 9 })], hosts).waiting).toHaveLength(7);
    const overcommit = { vcpu: 2, memory: 1, disk: 1 };
    expect(plan([aFleet({ replicas: 9 })], hosts, { overcommit }).waiting).toHaveLength(5);
  });

  test("is placed before smaller ones, so that it finds the room", () => {
    const sized = (name: string, memoryMib: number) =>
      aFleet({
        name: fleetName(name),
        template: aContainer({ resources: { vcpuMillis: 100, memoryMib, diskMib: 0 } }),
      });
    const made = plan(
      [sized("a", 1024), sized("b", 1024), sized("c", 8192)],
      [aHost("h1"), aHost("h2")],
    );
    expect(made.waiting).toEqual([]);
  });

  test("stays where a host shrank, and gets nothing more there", () => {
    const entries = [anEntry(), anEntry({ index: 1 })];
    const observed = [ready(), ready({ index: 1 })];
    const small = host("h1", entries, observed);
    const capacity = { vcpuMillis: 600, memoryMib: 8192, diskMib: 0 };
    const report = small.report && { ...small.report, capacity };
    const made = plan([aFleet({ replicas: 3 })], [{ ...small, report }]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0002: no host admits it"]);
  });

  test("passes changed policies on, without touching an instance", () => {
    const made = plan([aFleet({ onIsolation: "stop" })], [host("h1", [anEntry()], [ready()])]);
    expect(written(made)).toEqual(["h1: web-0000.1 run"]);
    expect(made.orders[0]?.fleets[0]?.onIsolation).toBe("stop");
    expect(made.actions).toEqual([]);
  });

  test("leaves a failed instance where it is, to be seen", () => {
    const failed = [anObserved({ phase: "failed" })];
    const made = plan([aFleet()], [host("h1", [anEntry()], failed, { admin: "draining" })]);
    expect(made.orders).toEqual([]);
    expect(made.notes.map((note) => note.text)).toEqual([
      "fleet web: web-0000 has failed; restart them, or change the fleet",
    ]);
  });
});

describe("what is given up", () => {
  test("is discarded where its fleet is deleted, and forgotten once it is gone", () => {
    const deleting = aFleet({}, { state: "deleting" });
    const first = plan([deleting], [host("h1", [anEntry()], [ready()])]);
    expect(written(first)).toEqual(["h1: web-0000.1 discard"]);
    expect(first.forgottenFleets).toEqual([]);

    const doomed = [anEntry({ desired: "discard" })];
    expect(plan([deleting], [host("h1", doomed, [stopped()])]).orders).toEqual([]);
    const last = plan([deleting], [host("h1", doomed)]);
    expect(written(last)).toEqual(["h1: "]);
    expect(last.forgottenFleets).toEqual(["web"]);
  });

  test("is not forgotten on the word of a report from before the order", () => {
    const deleting = aFleet({}, { state: "deleting" });
    const late = aHost(
      "h1",
      { generation: 1 },
      {
        orders: someOrders("h1", [anEntry({ desired: "discard" })], { generation: 2 }),
      },
    );
    const made = plan([deleting], [late]);
    expect(made.orders).toEqual([]);
    expect(made.forgottenFleets).toEqual([]);
  });

  test("is discarded above the replicas, also where it lies in quarantine", () => {
    const entries = [anEntry({ index: 1, desired: "stop" }), anEntry({ index: 1, incarnation: 2 })];
    const made = plan(
      [aFleet({ replicas: 1 })],
      [
        host("h1", [anEntry(), entries[0] ?? anEntry()], [ready(), stopped({ index: 1 })]),
        host("h2", entries.slice(1), [ready({ index: 1, incarnation: 2 })]),
      ],
    );
    expect(written(made)).toEqual([
      "h1: web-0000.1 run, web-0001.1 discard",
      "h2: web-0001.2 discard",
    ]);
  });

  test("is only stopped where no fleet of its name is declared (I4)", () => {
    const made = plan([], [host("h1", [anEntry()], [ready()])]);
    expect(written(made)).toEqual(["h1: web-0000.1 stop"]);
    expect(made.notes[0]?.text).toBe(
      "no fleet web is declared; its instances are kept stopped: web-0000 on h1",
    );
  });

  test("waits to come back until its last incarnation has ended", () => {
    const doomed = [anEntry({ desired: "discard" })];
    expect(reasons(plan([aFleet()], [host("h1", doomed, [ready()])]))).toEqual([
      "web-0000: its incarnation 1 is still to be stopped on h1",
    ]);
    expect(written(plan([aFleet()], [host("h1", doomed, [stopped()])]))).toEqual([
      "h1: web-0000.1 discard, web-0000.2 run",
    ]);
  });
});

describe("a template that changes", () => {
  test("replaces instances in turn, each by one document on the same host", () => {
    const entries = [anEntry(), anEntry({ index: 1 })];
    const observed = [ready(), ready({ index: 1 })];
    const fleet = changed({ replicas: 2 });
    const first = plan([fleet], [host("h1", entries, observed), aHost("h2")]);
    expect(written(first)).toEqual(["h1: web-0000.1 discard, web-0000.2 run, web-0001.1 run"]);
    expect(first.orders[0]?.templates.map((one) => one.digest)).toEqual([
      digest("a1"),
      digest("a2"),
    ]);
    expect(actions(first)).toEqual(["discard web-0000.1 on h1", "replace web-0000.2 on h1"]);
    expect(reasons(first)).toEqual([
      "web-0001: waits for its turn to be replaced: 1 not ready, at most 1 may be",
    ]);
  });

  test("waits for a replaced one to be ready, whatever is left of the one before", () => {
    const fleet = changed({ replicas: 2 });
    const entries = [
      anEntry({ desired: "discard" }),
      anEntry({ incarnation: 2, template: digest("a2") }),
      anEntry({ index: 1 }),
    ];
    const next = { incarnation: 2, template: digest("a2") };
    const others = ready({ index: 1 });
    for (const seen of [
      [anObserved({ phase: "stopping" })],
      [stopped()],
      [anObserved({ ...next, phase: "starting" })],
    ]) {
      const made = plan([fleet], [host("h1", entries, [...seen, others]), aHost("h2")]);
      expect(written(made).join()).not.toContain("web-0001.1 discard");
    }
    const made = plan([fleet], [host("h1", entries, [ready(next), others]), aHost("h2")]);
    expect(written(made)).toEqual(["h1: web-0000.2 run, web-0001.1 discard, web-0001.2 run"]);
  });

  test("moves what its host does not take any more: stop, then discard and begin elsewhere", () => {
    const resources = { vcpuMillis: 500, memoryMib: 2048, diskMib: 0 };
    const fleet = changed({ template: aContainer({ resources }) });
    const small = { vcpuMillis: 8000, memoryMib: 1024, diskMib: 0 };
    const on = (entries: readonly OrderedInstance[], observed: readonly Observed[]) => {
      const full = host("h1", entries, observed);
      return [{ ...full, report: full.report && { ...full.report, capacity: small } }, aHost("h2")];
    };
    const first = plan([fleet], on([anEntry()], [ready()]));
    expect(written(first)).toEqual(["h1: web-0000.1 stop"]);
    expect(reasons(first)).toEqual([
      "web-0000: its incarnation 1 is being stopped, to be replaced",
    ]);
    const second = plan([fleet], on([anEntry({ desired: "stop" })], [stopped()]));
    expect(written(second)).toEqual(["h1: web-0000.1 discard", "h2: web-0000.2 run"]);
  });

  test("counts the old and the new one on one host as the larger of the two (I3)", () => {
    const resources = { vcpuMillis: 500, memoryMib: 300, diskMib: 0 };
    const fleet = changed({ template: aContainer({ resources }) });
    const entries = [
      anEntry({ desired: "discard" }),
      anEntry({ incarnation: 2, template: digest("a2") }),
    ];
    const templates = [fleet, aFleet()].map((one) => ({
      ...{ digest: one.template, template: one.spec.template, image: undefined },
    }));
    const orders = someOrders("h1", entries, { templates });
    const other = (memoryMib: number) =>
      aFleet({
        name: fleetName("api"),
        template: aContainer({ resources: { ...resources, memoryMib } }),
      });
    const capacity = { vcpuMillis: 8000, memoryMib: 1000, diskMib: 0 };
    const h1 = aHost("h1", { capacity, instances: [ready()] }, { orders });
    expect(plan([other(700), fleet], [h1]).waiting).toEqual([]);
    expect(reasons(plan([other(701), fleet], [h1]))).toEqual(["api-0000: no host admits it"]);
  });

  test("replaces what is not ready first: it costs nothing", () => {
    const entries = [anEntry(), anEntry({ index: 1 })];
    const observed = [ready(), anObserved({ index: 1, phase: "failed" })];
    const made = plan([changed({ replicas: 2 })], [host("h1", entries, observed)]);
    expect(written(made)).toEqual(["h1: web-0000.1 run, web-0001.1 discard, web-0001.2 run"]);
  });

  test("stops nothing that would have nowhere to go", () => {
    const resources = { vcpuMillis: 500, memoryMib: 16_384, diskMib: 0 };
    const template = aContainer({ resources });
    const made = plan([changed({ template })], [host("h1", [anEntry()], [ready()])]);
    expect(made.orders).toEqual([]);
    expect(made.waiting[0]).toMatchObject({
      reason: "runs on, as there is no room to replace it",
      refusals: [{ rule: "memory" }],
    });
  });

  test("replaces in place where only the instance's own room is left", () => {
    const capacity = { vcpuMillis: 500, memoryMib: 256, diskMib: 0 };
    const full = host("h1", [anEntry()], [ready()]);
    const report = full.report && { ...full.report, capacity };
    const made = plan([changed()], [{ ...full, report }]);
    expect(written(made)).toEqual(["h1: web-0000.1 discard, web-0000.2 run"]);
  });
});

describe("what an operator asks of one instance", () => {
  test("a stop keeps its disk and its host, and a start resumes the same incarnation", () => {
    const made = plan([wish({ isStopped: true })], [host("h1", [anEntry()], [ready()])]);
    expect(written(made)).toEqual(["h1: web-0000.1 stop"]);
    expect(made.waiting).toEqual([]);

    const resting = host("h1", [anEntry({ desired: "stop" })], [stopped()]);
    expect(plan([wish({ isStopped: true })], [resting]).orders).toEqual([]);
    const resumed = plan([aFleet()], [resting]);
    expect(written(resumed)).toEqual(["h1: web-0000.1 run"]);
    expect(actions(resumed)).toEqual(["resume web-0000.1 on h1"]);
  });

  test("a start waits until what came before has ended on its host, or that is lost (I2)", () => {
    const before = host("h1", [anEntry()], [ready()]);
    const rests = anEntry({ incarnation: 2, desired: "stop" });
    const after = host("h2", [rests], [stopped({ incarnation: 2 })]);
    const made = plan([aFleet()], [before, after]);
    expect(written(made)).toEqual(["h1: web-0000.1 stop"]);
    expect(reasons(made)).toEqual(["web-0000: its incarnation 1 is still to be stopped on h1"]);

    const ending = [anEntry({ desired: "stop" })];
    expect(plan([aFleet()], [host("h1", ending, [ready()]), after]).orders).toEqual([]);
    const lost = host("h1", ending, [ready()], { liveness: "lost" });
    for (const gone of [host("h1", ending, [stopped()]), lost]) {
      expect(written(plan([aFleet()], [gone, after]))).toEqual(["h2: web-0000.2 run"]);
    }
  });

  test("a start waits where the room of what had stopped was given away since (I3)", () => {
    const entries = [anEntry({ desired: "stop" }), anEntry({ fleet: fleetName("api") })];
    const capacity = { vcpuMillis: 500, memoryMib: 8192, diskMib: 1024 };
    const fleets = [aFleet({ name: fleetName("api") }, { template: digest("a1") }), aFleet()];
    // The report is from before the orders that gave the room away.
    const report = { generation: 0, capacity };
    const resting = aHost("h1", report, { orders: someOrders("h1", entries) });
    const made = plan(fleets, [resting]);
    expect(made.orders).toEqual([]);
    expect(made.waiting).toMatchObject([{ reason: "its disk is on h1, which does not admit it" }]);
  });

  test("a start waits where the host has no room any more (I3, I8)", () => {
    const resting = host("h1", [anEntry({ desired: "stop" })], [stopped()]);
    const capacity = { vcpuMillis: 400, memoryMib: 8192, diskMib: 0 };
    const report = resting.report && { ...resting.report, capacity };
    const made = plan([aFleet()], [{ ...resting, report }, aHost("h2")]);
    expect(made.orders).toEqual([]);
    expect(made.waiting[0]).toMatchObject({
      reason: "its disk is on h1, which does not admit it",
      refusals: [{ rule: "vcpu", hosts: 1 }],
    });
  });

  test("a start takes back a stop that was not carried out yet, for which there is room", () => {
    const resting = host("h1", [anEntry({ desired: "stop" })], [ready()]);
    const capacity = { vcpuMillis: 400, memoryMib: 8192, diskMib: 0 };
    const report = resting.report && { ...resting.report, capacity };
    expect(written(plan([aFleet()], [{ ...resting, report }]))).toEqual(["h1: web-0000.1 run"]);
  });

  test("a restart is a new incarnation, out of turn, on the same host", () => {
    const fleet = wish({ minIncarnation: 2 });
    const made = plan([fleet], [host("h1", [anEntry()], [ready()]), aHost("h2")]);
    expect(written(made)).toEqual(["h1: web-0000.1 discard, web-0000.2 run"]);
    expect(actions(made)).toContain("restart web-0000.2 on h1");
    const resting = host("h1", [anEntry({ desired: "stop" })], [stopped()]);
    expect(written(plan([fleet], [resting, aHost("h2")]))).toEqual(written(made));
  });

  test("a restart waits for no turn during an update either", () => {
    const fleet = changed({ replicas: 2 });
    const record = { ...fleet, wishes: [{ index: 0, isStopped: false, minIncarnation: 2 }] };
    const entries = [anEntry(), anEntry({ index: 1, desired: "stop" })];
    const seen = [ready(), ready({ index: 1, phase: "stopping" })];
    expect(written(plan([record], [host("h1", entries, seen), aHost("h2")]))).toEqual([
      "h1: web-0000.1 discard, web-0000.2 run, web-0001.1 stop",
    ]);
  });

  test("what begins after a restore is numbered above all that was ordered before (I1)", () => {
    const epochBase = nextEpochBase(0) ?? 0;
    const since = { epoch: epochBase + 1, epochBase };
    expect(written(plan([aFleet()], [aHost("h1")], since))).toEqual(["h1: web-0000.100001 run"]);
    const known = host("h1", [anEntry({ incarnation: 3 })], [ready({ incarnation: 3 })]);
    expect(written(plan([wish({ minIncarnation: 4 })], [known], since))).toEqual([
      "h1: web-0000.3 discard, web-0000.100001 run",
    ]);
    const later = { ...since, epochBase: nextEpochBase(epochBase) ?? 0 };
    expect(written(plan([aFleet()], [aHost("h1")], later))).toEqual(["h1: web-0000.200001 run"]);
  });

  test("a restart asked for several times skips incarnations", () => {
    const half = host("h1", [anEntry({ desired: "stop" })], [stopped()]);
    expect(written(plan([wish({ minIncarnation: 5 })], [half]))).toEqual([
      "h1: web-0000.1 discard, web-0000.5 run",
    ]);
  });
});

describe("a host that drains", () => {
  const draining = { admin: "draining" } as const;

  test("gives its instances up in turn, and they begin elsewhere", () => {
    const first = plan([aFleet()], [host("h1", [anEntry()], [ready()], draining), aHost("h2")]);
    expect(written(first)).toEqual(["h1: web-0000.1 stop"]);
    const half = host("h1", [anEntry({ desired: "stop" })], [stopped()], draining);
    const second = plan([aFleet()], [half, aHost("h2")]);
    expect(written(second)).toEqual(["h1: web-0000.1 discard", "h2: web-0000.2 run"]);
    expect(second.actions.find((one) => one.kind === "move")).toMatchObject({
      host: "h2",
      from: "h1",
    });
  });

  test("keeps them where they fit nowhere else", () => {
    const made = plan([aFleet()], [host("h1", [anEntry()], [ready()], draining)]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0000: runs on, as there is no room to move it"]);
  });

  test("stops no more than there is room for elsewhere, however many may be unavailable", () => {
    const fleet = aFleet({ replicas: 2, update: anUpdatePolicy({ maxUnavailable: 2 }) });
    const entries = [anEntry(), anEntry({ index: 1 })];
    const seen = [ready(), ready({ index: 1 })];
    const small = { capacity: { vcpuMillis: 500, memoryMib: 256, diskMib: 0 } };
    const both = [host("h1", entries, seen, draining), aHost("h2", small)];
    expect(written(plan([fleet], both))).toEqual(["h1: web-0000.1 stop, web-0001.1 run"]);

    const half = [
      host("h1", [anEntry({ desired: "stop" }), anEntry({ index: 1 })], seen, draining),
      aHost("h2", small),
    ];
    const next = plan([fleet], half);
    expect(next.orders).toEqual([]);
    expect(reasons(next)).toContain("web-0001: runs on, as there is no room to move it");
  });

  test("keeps a disk until its instance has another host, even if room was lost meanwhile", () => {
    const half = host("h1", [anEntry({ desired: "stop" })], [stopped()], draining);
    const made = plan([aFleet()], [half]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0000: no host admits it"]);
  });

  test("keeps what has done its work and is not to run again", () => {
    const fleet = aFleet({ restart: { ...aFleet().spec.restart, mode: "on-failure" } });
    const orders = someOrders("h1", [anEntry()], {}, fleet);
    const done = host("h1", [], [stopped()], { ...draining, orders });
    expect(plan([fleet], [done, aHost("h2")]).orders).toEqual([]);
  });

  test("takes back what has only been stopped when the drain is called off", () => {
    const half = host("h1", [anEntry({ desired: "stop" })], [stopped()]);
    expect(written(plan([aFleet()], [half, aHost("h2")]))).toEqual(["h1: web-0000.1 run"]);
  });
});

describe("a host that is lost", () => {
  const lost = { liveness: "lost" } as const;

  test("keeps its disks, and its instances begin elsewhere at once (I4)", () => {
    const made = plan([aFleet()], [host("h1", [anEntry()], [ready()], lost), aHost("h2")]);
    expect(written(made)).toEqual(["h1: web-0000.1 stop", "h2: web-0000.2 run"]);
    expect(actions(made)).toEqual(["stop web-0000.1 on h1", "move web-0000.2 on h2"]);
  });

  test("is waited for where its fleet says so", () => {
    const fleet = aFleet({ onHostLoss: "wait" });
    const made = plan([fleet], [host("h1", [anEntry()], [ready()], lost), aHost("h2")]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0000: h1 is lost, and its fleet is to wait for it"]);
  });

  test("stays ordered to run what fits nowhere else, and goes on when the host returns", () => {
    const made = plan([aFleet()], [host("h1", [anEntry()], [ready()], lost)]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0000: no host admits it"]);
  });

  test("and returns holds older incarnations stopped, in quarantine", () => {
    const made = plan(
      [aFleet()],
      [
        host("h1", [anEntry({ desired: "stop" })], [stopped()]),
        host("h2", [anEntry({ incarnation: 2 })], [ready({ incarnation: 2 })]),
      ],
    );
    expect(made.orders).toEqual([]);
  });

  test("and is only unknown moves nothing", () => {
    const unknown = host("h1", [anEntry()], [ready()], { liveness: "unknown" });
    const made = plan([aFleet()], [unknown, aHost("h2")]);
    expect(made.orders).toEqual([]);
    expect(made.waiting).toEqual([]);
  });

  test("keeps the count of incarnations while the next one waits for room", () => {
    const marker = host("h2", [anEntry({ incarnation: 2, desired: "discard" })], [], {
      admin: "draining",
    });
    const made = plan(
      [aFleet()],
      [host("h1", [anEntry({ desired: "stop" })], [stopped()]), marker],
    );
    expect(written(made)).toEqual(["h1: web-0000.1 stop, web-0000.3 run"]);
  });
});

describe("orders and what is really there", () => {
  test("what runs without orders is adopted, not begun a second time", () => {
    const found = aHost("h1", { instances: [ready({ incarnation: 4 })] });
    const made = plan([aFleet()], [found, aHost("h2")]);
    expect(written(made)).toEqual(["h1: web-0000.4 run"]);
  });

  test("a newer incarnation than any ordered is adopted, and the ordered one stopped", () => {
    const made = plan(
      [aFleet()],
      [host("h1", [anEntry()], [ready()]), aHost("h2", { instances: [ready({ incarnation: 2 })] })],
    );
    expect(written(made)).toEqual(["h1: web-0000.1 stop", "h2: web-0000.2 run"]);
  });

  test("what a host does not report yet may be ready: only a restart ends it before", () => {
    const update = anUpdatePolicy({ maxUnavailable: 2 });
    const entries = [anEntry(), anEntry({ index: 1 }), anEntry({ index: 2 })];
    const mute = (over: Partial<HostView> = {}) =>
      host("h1", entries, [], { report: undefined, ...over });
    const drained = [mute({ admin: "draining" }), aHost("h2")];
    const draining = plan([aFleet({ replicas: 3, update })], drained);
    const updated = plan([changed({ replicas: 3, update })], [mute(), aHost("h2")]);
    for (const made of [draining, updated]) {
      expect(made.orders).toEqual([]);
      expect(reasons(made)).toEqual(
        [0, 1, 2].map(
          (at) => `web-000${at}: runs on, as h1 has not reported yet what is ready there`,
        ),
      );
    }
    const restarted = plan([wish({ minIncarnation: 2 })], [mute(), aHost("h2")]);
    expect(written(restarted)[0]).toContain("web-0000.1 stop");
  });

  test("the next incarnation is above every one ordered or reported anywhere (I1)", () => {
    const ordered = host("h1", [anEntry({ incarnation: 3 })], [], { liveness: "lost" });
    const reported = (incarnation: number) =>
      aHost("h2", { instances: [stopped({ incarnation, template: digest("f") })] });
    expect(written(plan([aFleet()], [ordered, reported(2)]))).toEqual([
      "h1: web-0000.3 stop",
      "h2: web-0000.4 run",
    ]);
    expect(written(plan([aFleet()], [ordered, reported(7)]))).toEqual([
      "h1: web-0000.3 stop",
      "h2: web-0000.8 run",
    ]);
  });

  test("a next one waits until what nobody ordered has been stopped", () => {
    const stray = aHost("h2", { instances: [ready({ template: digest("f") })] });
    const made = plan([aFleet()], [aHost("h1"), stray]);
    expect(written(made)).toEqual(["h2: "]);
    expect(reasons(made)).toEqual([
      "web-0000: its incarnation 1, which nobody ordered, is still to be stopped on h2",
    ]);
  });

  test("where a host goes by later orders than are stored nothing at all is planned", () => {
    const ahead = aHost(
      "h1",
      { generation: 9, instances: [ready()] },
      { orders: someOrders("h1", [anEntry()], { generation: 4 }) },
    );
    const made = plan([aFleet({ replicas: 3 })], [ahead, aHost("h2")]);
    expect([written(made), made.waiting, made.forgottenFleets]).toEqual([[], [], []]);
    expect(made.notes[0]?.text).toMatch(/older than what h1 go by.*evm restore/);
  });

  test("where all orders are lost nothing is planned, whatever fleets are declared", () => {
    const forgotten = aHost("h1", { generation: 3, instances: [ready()] });
    expect(written(plan([aFleet({ replicas: 3 })], [forgotten, aHost("h2")]))).toEqual([]);
  });

  const stranger = (over: Partial<HostView> = {}) =>
    aHost("h9", { generation: 3, instances: [ready({ incarnation: 4 })] }, over);
  const served = () => host("h1", [anEntry({ index: 1 })], [ready({ index: 1 })]);

  test("a host that goes by orders from elsewhere is left as it is, and the others go on", () => {
    const made = plan([aFleet({ replicas: 3 })], [served(), stranger()]);
    expect(written(made)).toEqual(["h1: web-0001.1 run, web-0002.1 run"]);
    expect(reasons(made)).toEqual([
      "web-0000: its incarnation 4 is on h9, which is estranged: run evm restore",
    ]);
    expect(made.notes[0]?.text).toMatch(/^h9 goes by orders that are not known here/);
  });

  test("what an estranged host has is neither adopted, stopped nor discarded", () => {
    for (const fleets of [[], [aFleet({ replicas: 0 })], [aFleet({}, { state: "deleting" })]]) {
      const made = plan(fleets, [host("h1"), stranger()]);
      expect(written(made)).toEqual([]);
    }
  });

  test("what ran on an estranged host that is lost begins elsewhere, above it (I1)", () => {
    const lost = stranger({ liveness: "lost" });
    expect(written(plan([aFleet({ replicas: 2 })], [served(), lost]))).toEqual([
      "h1: web-0000.5 run, web-0001.1 run",
    ]);
    const waiting = plan([aFleet({ replicas: 2, onHostLoss: "wait" })], [served(), lost]);
    expect(written(waiting)).toEqual([]);
    expect(reasons(waiting)).toEqual([
      expect.stringMatching(/^web-0000: .* h9, which is estranged/),
    ]);
  });

  test("one incarnation ordered on two hosts is left to run on one of them (I1)", () => {
    const made = plan(
      [aFleet()],
      [host("h1", [anEntry()], [ready()]), host("h2", [anEntry()], [ready()])],
    );
    expect(written(made)).toEqual(["h1: web-0000.1 stop"]);
  });

  test("a leader that finds orders of a later epoch plans nothing", () => {
    const later = host("h1", [], [], { orders: someOrders("h1", [], { epoch: 2 }) });
    const made = plan([aFleet()], [later]);
    expect(made.orders).toEqual([]);
    expect(made.notes[0]?.severity).toBe("warning");
  });

  test("documents that end something come before those that only begin something", () => {
    const fleets = [aFleet({ replicas: 3 })];
    const lost = host("h9", [anEntry()], [ready()], { liveness: "lost" });
    const made = plan(fleets, [aHost("h1"), aHost("h2"), lost]);
    expect(made.orders.map((one) => one.host)).toEqual([hostName("h9"), "h1", "h2"]);
  });
});
