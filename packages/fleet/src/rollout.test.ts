/** How an update is held, stopped by itself and undone, pass by pass. */
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
  someOrders,
} from "../test/build.ts";
import { check } from "./check.ts";
import type { OrderedInstance, OrderedTemplate } from "./orders.ts";
import type { Plan } from "./plan.ts";
import { reconcile } from "./reconcile.ts";
import type { Observed } from "./report.ts";
import { type Rollout, rolledBack, SURGE_INDEX, updated } from "./rollout.ts";
import type { FleetRecord } from "./snapshot.ts";
import type { UpdatePolicy } from "./spec.ts";

const OLD = digest("a1");
const NEW = digest("a2");
const next: OrderedTemplate = {
  digest: NEW,
  template: aContainer({ command: ["new"] }),
  image: undefined,
};

/** A fleet of two that has just been given another template. */
const updating = (policy: Partial<UpdatePolicy> = {}, rollout: Partial<Rollout> = {}) => {
  const before = aFleet({ replicas: 2, update: anUpdatePolicy(policy) });
  const record = updated(before, next, []);
  return { ...record, rollout: { ...record.rollout, ...rollout } };
};
const halted = { kind: "halted", reason: "web-0000 has failed" } as const;

function plan(
  fleet: FleetRecord,
  entries: readonly OrderedInstance[],
  instances: readonly Observed[],
): Plan {
  const templates = [{ digest: OLD, template: aContainer(), image: undefined }, next];
  const h1 = aHost("h1", { instances }, { orders: someOrders("h1", entries, { templates }) });
  const snapshot = aSnapshot([fleet], [h1]);
  const made = reconcile(snapshot);
  expect(check(snapshot, made)).toEqual([]);
  return made;
}

const old = (index: number) => ({ index, template: OLD });
const fresh = (index: number) => ({ index, incarnation: 2, template: NEW });

const written = (made: Plan): string[] =>
  made.orders.flatMap(({ instances }) =>
    instances.map((one) => `${one.name}.${one.incarnation} ${one.desired}`),
  );
const reasons = (made: Plan): string[] =>
  made.waiting.map((one) => `${one.instance}: ${one.reason}`);

describe("an update", () => {
  test("is done once every instance is ready, and not before", () => {
    const entries = [anEntry(fresh(0)), anEntry(fresh(1))];
    const seen = (phase: Observed["phase"]) => [
      anObserved(fresh(0)),
      anObserved({ ...fresh(1), phase }),
    ];
    expect(plan(updating(), entries, seen("running")).fleets).toEqual([]);
    const [record] = plan(updating(), entries, seen("ready")).fleets;
    expect(record?.rollout.state).toEqual({ kind: "done" });
  });

  const entries = [anEntry(fresh(0)), anEntry(old(1))];
  const failed = anObserved({ ...fresh(0), phase: "failed", reason: "it ended with a failure" });

  test("is halted at its failure threshold, with the reason, and replaces nothing more", () => {
    const made = plan(updating(), entries, [failed, anObserved(old(1))]);
    expect(made.fleets).toEqual([
      updating(
        {},
        {
          state: { kind: "halted", reason: "web-0000 has failed: it ended with a failure" },
        },
      ),
    ]);
    expect(made.orders).toEqual([]);
  });

  test("counts as failed what is restarted again and again, and is not ready", () => {
    const looping = (over: Partial<Observed>) =>
      plan(updating(), entries, [anObserved({ ...fresh(0), ...over }), anObserved(old(1))]).fleets;
    expect(looping({ phase: "starting", restarts: 2 })).toEqual([]);
    expect(looping({ phase: "ready", restarts: 7 })).toEqual([]);
    expect(looping({ phase: "starting", restarts: 3 })).toHaveLength(1);
  });

  test("bears fewer failures than its threshold, those of the old template, and known ones", () => {
    const two = updating({ failureThreshold: 2 });
    expect(plan(two, entries, [failed, anObserved(old(1))]).fleets).toEqual([]);
    const known = updating({}, { knownFailures: [0] });
    expect(plan(known, entries, [failed, anObserved(old(1))]).fleets).toEqual([]);
    const older = anObserved({ ...old(1), phase: "failed" });
    expect(plan(updating(), entries, [anObserved(fresh(0)), older]).fleets).toEqual([]);
  });

  test("goes back by itself where its policy says so, and says why", () => {
    const fleet = updating({ onFailure: "rollback" });
    const [record] = plan(fleet, entries, [failed, anObserved(old(1))]).fleets;
    expect(record).toMatchObject({
      template: OLD,
      spec: { template: aContainer() },
      rollout: {
        state: { kind: "going" },
        previous: { digest: NEW },
        rolledBackBecause: "web-0000 has failed: it ended with a failure",
      },
    });
  });

  test("that goes back is halted, and not turned round again, where that fails too", () => {
    const fleet = updating({ onFailure: "rollback" }, { rolledBackBecause: "it was asked for" });
    const [record] = plan(fleet, entries, [failed, anObserved(old(1))]).fleets;
    expect(record?.rollout.state.kind).toBe("halted");
    expect(record?.template).toBe(NEW);
  });

  test("that is held replaces nothing, and whatever waits for it says so", () => {
    const fleet = updating({}, { state: halted });
    const made = plan(fleet, entries, [failed, anObserved(old(1))]);
    expect(made.orders).toEqual([]);
    expect(reasons(made)).toEqual(["web-0001: its update is halted: web-0000 has failed"]);
    expect(made.notes.map((note) => note.text)).toContainEqual(
      expect.stringMatching(/^fleet web: its update is halted: .*evm rollback web/),
    );
  });

  test("that is held makes afresh what has to be, of the template that it had", () => {
    const fleet = {
      ...updating({}, { state: halted }),
      wishes: [{ index: 1, isStopped: false, minIncarnation: 2 }],
    };
    const made = plan(fleet, entries, [failed, anObserved(old(1))]);
    expect(written(made)).toContain("web-0001.2 run");
    const again = made.orders[0]?.instances.find((one) => one.incarnation === 2 && one.index === 1);
    expect(again?.template).toBe(OLD);
  });

  test("that is undone half-way takes back a stop that was not carried out yet", () => {
    const back = rolledBack(updating(), "an operator asked for it", []);
    const stopping = [anEntry({ ...old(0), desired: "stop" }), anEntry(old(1))];
    const seen = [anObserved({ ...old(0), phase: "stopping" }), anObserved(old(1))];
    expect(written(plan(back ?? updating(), stopping, seen))).toEqual([
      "web-0000.1 run",
      "web-0001.1 run",
    ]);
  });
});

describe("a surge", () => {
  const policy = { maxUnavailable: 0, maxSurge: 1 };
  const both = [anEntry(old(0)), anEntry(old(1))];
  const bothReady = [anObserved(old(0)), anObserved(old(1))];
  const extra = { index: SURGE_INDEX, template: NEW };

  test("begins with extra instances of the new template, above every number of the fleet", () => {
    const made = plan(updating(policy), both, bothReady);
    expect(written(made)).toEqual(["web-0000.1 run", "web-0001.1 run", "web-100000.1 run"]);
    expect(made.orders[0]?.instances.at(-1)?.template).toBe(NEW);
  });

  test("lets one be replaced once an extra one is ready", () => {
    const entries = [...both, anEntry(extra)];
    const starting = anObserved({ ...extra, phase: "starting" });
    expect(plan(updating(policy), entries, [...bothReady, starting]).orders).toEqual([]);
    const made = plan(updating(policy), entries, [...bothReady, anObserved(extra)]);
    expect(written(made)).toContain("web-0000.2 run");
    expect(written(made)).toContain("web-0001.1 run");
  });

  test("ends once all are ready: the extra ones are discarded, and not while one is not", () => {
    const entries = [anEntry(fresh(0)), anEntry(fresh(1)), anEntry(extra)];
    const seen = (phase: Observed["phase"]) => [
      anObserved(fresh(0)),
      anObserved({ ...fresh(1), phase }),
      anObserved(extra),
    ];
    expect(plan(updating(policy), entries, seen("starting")).orders).toEqual([]);
    expect(written(plan(updating(policy), entries, seen("ready")))).toContain(
      "web-100000.1 discard",
    );
  });

  test("is kept where the update is held", () => {
    const entries = [...both, anEntry(extra)];
    const seen = [...bothReady, anObserved({ ...extra, phase: "failed" })];
    expect(plan(updating(policy, { state: halted }), entries, seen).orders).toEqual([]);
  });

  test("is nothing that scaling begins or a fleet has that changes nothing", () => {
    const fleet = aFleet({ replicas: 3, update: anUpdatePolicy(policy) });
    const made = plan(fleet, both, bothReady);
    expect(written(made)).toEqual(["web-0000.1 run", "web-0001.1 run", "web-0002.1 run"]);
  });
});

describe("the template to go back to", () => {
  test("is the one before, and after a rollback the one that was gone back from", () => {
    const first = aFleet();
    const second = updated(first, next, []);
    expect(second.rollout.previous?.digest).toBe(OLD);
    const back = rolledBack(second, "why", []);
    expect([back?.template, back?.rollout.previous?.digest]).toEqual([OLD, NEW]);
    const forth = back && rolledBack(back, "why not", []);
    expect([forth?.template, forth?.rollout.previous?.digest]).toEqual([NEW, OLD]);
  });

  test("is none for a fleet that never had another", () => {
    expect(rolledBack(aFleet(), "why", [])).toBeUndefined();
  });

  test("is not one whose update was halted, but what was there before it", () => {
    const third = { ...next, digest: digest("a3") };
    const bad = { ...updating(), rollout: { ...updating().rollout, state: halted } };
    expect(updated(bad, third, []).rollout).toMatchObject({
      state: { kind: "going" },
      previous: { digest: OLD },
    });
    const first = { digest: OLD, template: aContainer(), image: undefined };
    expect(updated(bad, first, []).rollout.previous?.digest).toBe(NEW);
  });
});
