/** Random clusters, random histories: the invariants hold at every pass, and it settles. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { aContainer, aFleet, aHost, aPlacement, aVm, fleetName } from "../test/build.ts";
import { SimulatedCluster } from "../test/simulated-cluster.ts";
import { failuresOf, resumed, rolledBack, updated, withRolloutState } from "./rollout.ts";
import type { FleetRecord, HostView, InstanceWish } from "./snapshot.ts";
import type { UpdatePolicy } from "./spec.ts";

const FLEETS = ["batch", "desk", "web"] as const;
const HOSTS = 4;
const LENGTH = { minLength: 1, maxLength: 50, size: "max" } as const;

const updateArb: fc.Arbitrary<UpdatePolicy> = fc
  .record({
    maxUnavailable: fc.integer({ min: 0, max: 3 }),
    maxSurge: fc.integer({ min: 0, max: 2 }),
    failureThreshold: fc.integer({ min: 1, max: 3 }),
    onFailure: fc.constantFrom("pause" as const, "rollback" as const),
  })
  .map((one) => ({ ...one, maxUnavailable: one.maxUnavailable || (one.maxSurge > 0 ? 0 : 1) }));

const fleetArb = (name: string): fc.Arbitrary<FleetRecord> =>
  fc
    .record({
      replicas: fc.integer({ min: 0, max: 6 }),
      vcpuMillis: fc.integer({ min: 1, max: 3 }).map((cpus) => cpus * 1000),
      memoryMib: fc.integer({ min: 1, max: 4 }).map((gib) => gib * 1024),
      diskMib: fc.integer({ min: 0, max: 4 }).map((gib) => gib * 1024),
      isVm: fc.boolean(),
      hostPort: fc.option(fc.constantFrom(80, 443), { nil: undefined, freq: 6 }),
      strategy: fc.constantFrom("spread" as const, "pack" as const),
      apartFrom: fc.option(fc.constantFrom(...FLEETS), { nil: undefined, freq: 4 }),
      update: updateArb,
      onHostLoss: fc.constantFrom("restart" as const, "restart" as const, "wait" as const),
    })
    .map((one) => {
      const { vcpuMillis, memoryMib, diskMib, hostPort, strategy, apartFrom } = one;
      const resources = { vcpuMillis, memoryMib, diskMib };
      const ports =
        hostPort === undefined ? [] : [{ containerPort: 80, hostPort, protocol: "tcp" as const }];
      const apart = apartFrom === undefined ? [] : [fleetName(apartFrom)];
      return aFleet({
        name: fleetName(name),
        replicas: one.replicas,
        template: one.isVm ? aVm({ resources }) : aContainer({ resources, ports }),
        placement: aPlacement({ strategy, apartFrom: apart }),
        update: one.update,
        onHostLoss: one.onHostLoss,
      });
    });

const hostArb = (name: string): fc.Arbitrary<HostView> =>
  fc
    .record({
      vcpuMillis: fc.integer({ min: 2, max: 16 }).map((cpus) => cpus * 1000),
      memoryMib: fc.integer({ min: 2, max: 16 }).map((gib) => gib * 1024),
      diskMib: fc.integer({ min: 4, max: 32 }).map((gib) => gib * 1024),
    })
    .map((capacity) => aHost(name, { capacity }));

const clusterArb = fc
  .record({
    fleets: fc.tuple(...FLEETS.map(fleetArb)),
    hosts: fc.tuple(...Array.from({ length: HOSTS }, (_, at) => hostArb(`h${at}`))),
    overcommit: fc.record({
      vcpu: fc.constantFrom(1, 1.5, 2),
      memory: fc.constantFrom(1, 1.25),
      disk: fc.constant(1),
    }),
  })
  .map((one) => () => new SimulatedCluster(one.fleets, one.hosts, one.overcommit));

const at = fc.nat(HOSTS - 1);
const fleet = fc.constantFrom(...FLEETS);
const index = fc.nat(5);

const commandArb = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("round" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("act" as const), isReporting: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("plan" as const), limit: fc.nat(3) }) },
  fc.record({ kind: fc.constant("scale" as const), fleet, replicas: fc.nat(8) }),
  fc.record({ kind: fc.constant("delete" as const), fleet }),
  fc.record({
    kind: fc.constant("template" as const),
    fleet,
    cpus: fc.integer({ min: 1, max: 3 }),
    isBroken: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom("pause" as const, "resume" as const, "rollback" as const),
    fleet,
  }),
  fc.record({ kind: fc.constantFrom("stop" as const, "start" as const), fleet, index }),
  fc.record({ kind: fc.constant("restart" as const), fleet, index, by: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom("drain" as const, "undrain" as const), at }),
  fc.record({ kind: fc.constant("crash" as const), at, which: fc.nat(9) }),
  fc.record({ kind: fc.constantFrom("lose" as const, "return" as const), at }),
  fc.record({ kind: fc.constant("power" as const), at }),
  fc.record({ kind: fc.constant("unknown" as const), at }),
  fc.record({ kind: fc.constant("replay" as const) }),
);
type Command = typeof commandArb extends fc.Arbitrary<infer One> ? One : never;

function wished(record: FleetRecord, index: number, change: Partial<InstanceWish>): FleetRecord {
  const known = record.wishes.find((wish) => wish.index === index);
  const wish = { index, isStopped: false, minIncarnation: 0, ...known, ...change };
  const others = record.wishes.filter((one) => one.index !== index);
  return { ...record, wishes: [...others, wish].sort((a, b) => a.index - b.index) };
}

function carryOut(cluster: SimulatedCluster, command: Command): void {
  switch (command.kind) {
    case "round":
      cluster.round();
      break;
    case "act":
      cluster.act(command.isReporting);
      break;
    case "plan":
      cluster.plan(command.limit);
      break;
    case "replay":
      cluster.replayStaleOrders();
      break;
    case "crash":
    case "power": {
      const host = cluster.hosts[command.at];
      if (host === undefined) break;
      if (command.kind === "crash") cluster.crash(host, command.which);
      else cluster.losePower(host);
      break;
    }
    default:
      if ("fleet" in command) {
        const digest = cluster.newTemplate();
        if (command.kind === "template" && command.isBroken) cluster.broken.add(digest);
        const failed = (template: FleetRecord["template"]) =>
          failuresOf(cluster.snapshot(), fleetName(command.fleet), template);
        cluster.change(command.fleet, (record) => changed(record, command, digest, failed));
      } else {
        const host = cluster.hosts[command.at]?.view.name;
        if (host !== undefined) cluster.setHost(host, STATES[command.kind]);
      }
  }
}

const STATES = {
  drain: { admin: "draining" },
  undrain: { admin: "active" },
  lose: { liveness: "lost" },
  unknown: { liveness: "unknown" },
  return: { liveness: "up" },
} as const;

type FleetCommand = Extract<Command, { fleet: string }>;

/** What an operator does to a fleet. */
function changed(
  record: FleetRecord,
  command: FleetCommand,
  digest: FleetRecord["template"],
  failed: (template: FleetRecord["template"]) => readonly number[],
): FleetRecord {
  switch (command.kind) {
    case "scale":
      return { ...record, spec: { ...record.spec, replicas: command.replicas } };
    case "delete":
      return { ...record, state: "deleting" };
    case "template": {
      const resources = { ...record.spec.template.resources, vcpuMillis: command.cpus * 1000 };
      const template = { ...record.spec.template, resources };
      return updated(record, { digest, template, image: record.image }, []);
    }
    case "pause":
      return record.rollout.state.kind === "going"
        ? withRolloutState(record, { kind: "paused", reason: "an operator paused it" })
        : record;
    case "resume":
      return record.rollout.state.kind === "done"
        ? record
        : resumed(record, failed(record.template));
    case "rollback": {
      const { previous } = record.rollout;
      if (previous === undefined) return record;
      return rolledBack(record, "an operator asked for it", failed(previous.digest)) ?? record;
    }
    case "stop":
    case "start":
      return wished(record, command.index, { isStopped: command.kind === "stop" });
    case "restart":
      return wished(record, command.index, { minIncarnation: command.by });
  }
}

test("whatever happens, I1 to I6 and I8 hold at every pass, and it settles (I7)", () => {
  fc.assert(
    fc.property(clusterArb, fc.array(commandArb, LENGTH), (build, commands) => {
      const cluster = build();
      for (const command of commands) carryOut(cluster, command);
      expect(cluster.faults).toEqual([]);

      for (const { view } of cluster.hosts) cluster.setHost(view.name, { liveness: "up" });
      const last = cluster.settle();
      expect(cluster.faults).toEqual([]);
      const waiting = new Set<string>(last.waiting.map((one) => one.instance));
      expect(cluster.missing().filter((name) => !waiting.has(name))).toEqual([]);
      expect(cluster.undrained().filter((name) => !waiting.has(name))).toEqual([]);
      expect([...cluster.fleets.values()].filter((one) => one.state === "deleting")).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test("hosts come and go, and no disk is ever discarded for it (I4)", () => {
  const losses = fc.array(
    commandArb.filter((one) =>
      ["round", "act", "plan", "lose", "power", "return", "unknown", "crash"].includes(one.kind),
    ),
    LENGTH,
  );
  fc.assert(
    fc.property(clusterArb, losses, (build, commands) => {
      const cluster = build();
      for (const command of commands) carryOut(cluster, command);
      for (const { view } of cluster.hosts) cluster.setHost(view.name, { liveness: "up" });
      cluster.settle();
      expect(cluster.discards).toEqual([]);
      expect(cluster.faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("orders that the store loses and hosts still have come back; nothing runs twice", () => {
  const history = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: commandArb },
      fc.record({ kind: fc.constant("forget" as const), at }),
    ),
    LENGTH,
  );
  fc.assert(
    fc.property(clusterArb, history, (build, commands) => {
      const cluster = build();
      for (const command of commands) {
        if (command.kind === "forget") cluster.loseOrders(command.at);
        else carryOut(cluster, command);
      }
      for (const { view } of cluster.hosts) {
        cluster.setHost(view.name, { liveness: "up", admin: "active" });
      }
      cluster.restoreOrders();
      const last = cluster.settle();
      // Until they are back nothing counts what runs without orders.
      expect(cluster.faults.filter((fault) => !/^I[34]:/.test(fault))).toEqual([]);
      const waiting = new Set<string>(last.waiting.map((one) => one.instance));
      expect(cluster.missing().filter((name) => !waiting.has(name))).toEqual([]);
      expect(cluster.running()).toEqual([...new Set(cluster.running())]);
    }),
    { numRuns: 500 },
  );
});
