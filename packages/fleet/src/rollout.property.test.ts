/** Updates in waves, on hosts that obey: what is promised of them holds at every step. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { aContainer, aFleet, aHost, anUpdatePolicy, fleetName } from "../test/build.ts";
import { SimulatedCluster } from "../test/simulated-cluster.ts";
import { failuresOf, resumed, rolledBack, updated, withRolloutState } from "./rollout.ts";
import type { FleetRecord } from "./snapshot.ts";
import type { UpdatePolicy } from "./spec.ts";

const WEB = fleetName("web");
/** Above every wave that a policy below bears. */
const RUNS = { numRuns: 300 };

const policyArb = fc
  .record({
    maxUnavailable: fc.integer({ min: 0, max: 3 }),
    maxSurge: fc.integer({ min: 0, max: 3 }),
    failureThreshold: fc.integer({ min: 1, max: 3 }),
    onFailure: fc.constantFrom("pause" as const, "rollback" as const),
  })
  .filter((one) => one.maxUnavailable + one.maxSurge > 0);

/** Every replica is ready, and hosts have room for `room` more. */
function settled(replicas: number, update: UpdatePolicy, room = 20): SimulatedCluster {
  const resources = { vcpuMillis: 100, memoryMib: 100, diskMib: 10 };
  const each = Math.ceil((replicas + room) / 3) * 100;
  const capacity = { vcpuMillis: each, memoryMib: each, diskMib: each };
  const hosts = ["h1", "h2", "h3"].map((name) => aHost(name, { capacity }));
  const fleet = aFleet({ replicas, template: aContainer({ resources }), update });
  const cluster = new SimulatedCluster([fleet], hosts, { vcpu: 1, memory: 1, disk: 1 });
  cluster.settle();
  return cluster;
}

const recordOf = (cluster: SimulatedCluster): FleetRecord => {
  const record = cluster.fleets.get(WEB);
  if (record === undefined) throw new Error("the fleet is gone");
  return record;
};

function applyTemplate(cluster: SimulatedCluster, isBroken: boolean): void {
  const digest = cluster.newTemplate();
  if (isBroken) cluster.broken.add(digest);
  cluster.change(WEB, (record) => {
    const template = { ...record.spec.template, resources: { ...record.spec.template.resources } };
    return updated(record, { digest, template, image: undefined }, []);
  });
}

function goBack(cluster: SimulatedCluster): void {
  const { previous } = recordOf(cluster).rollout;
  if (previous === undefined) return;
  const known = failuresOf(cluster.snapshot(), WEB, previous.digest);
  cluster.change(WEB, (record) => rolledBack(record, "an operator asked for it", known) ?? record);
}

/** Templates of what is ordered to run, with the index of each. */
const ordered = (cluster: SimulatedCluster) =>
  [...cluster.orders.values()].flatMap(({ instances }) =>
    instances.filter((one) => one.desired === "run"),
  );

const commandArb = fc.oneof(
  { weight: 6, arbitrary: fc.constant("round" as const) },
  { weight: 3, arbitrary: fc.constantFrom("plan" as const, "act" as const, "silence" as const) },
  fc.constantFrom("template" as const, "broken" as const, "rollback" as const),
  fc.constantFrom("pause" as const, "resume" as const, "drain" as const, "undrain" as const),
);

function carryOut(cluster: SimulatedCluster, command: string): void {
  switch (command) {
    case "round":
      cluster.round();
      break;
    case "plan":
      cluster.plan();
      break;
    case "act":
    case "silence":
      cluster.act(command === "act");
      break;
    case "template":
    case "broken":
      applyTemplate(cluster, command === "broken");
      break;
    case "rollback":
      goBack(cluster);
      break;
    case "pause":
      cluster.change(WEB, (record) =>
        record.rollout.state.kind === "going"
          ? withRolloutState(record, { kind: "paused", reason: "an operator paused it" })
          : record,
      );
      break;
    case "resume": {
      const known = failuresOf(cluster.snapshot(), WEB, recordOf(cluster).template);
      cluster.change(WEB, (record) =>
        record.rollout.state.kind === "done" ? record : resumed(record, known),
      );
      break;
    }
    case "drain":
    case "undrain": {
      const name = cluster.hosts[0]?.view.name;
      const admin = command === "drain" ? "draining" : "active";
      if (name !== undefined) cluster.setHost(name, { admin });
    }
  }
}

test("whatever is updated, undone, held or drained, no more are down or extra than may be", () => {
  const commands = fc.array(commandArb, { minLength: 1, maxLength: 60, size: "max" });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), policyArb, commands, (replicas, policy, steps) => {
      const cluster = settled(replicas, policy);
      for (const step of steps) {
        carryOut(cluster, step);
        const ready = cluster.running().length;
        expect(ready, step).toBeGreaterThanOrEqual(replicas - policy.maxUnavailable);
        expect(ordered(cluster).length, step).toBeLessThanOrEqual(replicas + policy.maxSurge);
        expect(cluster.faults).toEqual([]);
      }
    }),
    RUNS,
  );
});

test("a good template reaches every instance, and leaves nothing extra", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), policyArb, (replicas, policy) => {
      const cluster = settled(replicas, policy);
      applyTemplate(cluster, false);
      cluster.settle();
      const { template, rollout } = recordOf(cluster);
      expect(rollout.state).toEqual({ kind: "done" });
      expect(ordered(cluster).map((one) => one.template)).toEqual(Array(replicas).fill(template));
      expect(cluster.running()).toHaveLength(replicas);
      expect(cluster.faults).toEqual([]);
    }),
    RUNS,
  );
});

test("a template that always fails replaces few, and all others run on", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), policyArb, (replicas, policy) => {
      const { failureThreshold, maxUnavailable, maxSurge } = policy;
      const cluster = settled(replicas, { ...policy, onFailure: "pause" });
      const before = new Set(ordered(cluster).map((one) => `${one.name}.${one.incarnation}`));
      applyTemplate(cluster, true);
      cluster.settle();
      const left = ordered(cluster).filter((one) => before.has(`${one.name}.${one.incarnation}`));
      const replaced = replicas - left.length;
      expect(replaced).toBeLessThanOrEqual(failureThreshold + maxUnavailable + maxSurge);
      expect(cluster.running()).toHaveLength(left.length);
      const { state } = recordOf(cluster).rollout;
      const begun = Math.min(replicas, maxUnavailable) + Math.min(replicas, maxSurge);
      expect(state.kind).toBe(begun >= failureThreshold ? "halted" : "going");
      expect(cluster.faults).toEqual([]);
    }),
    RUNS,
  );
});

test("what is rolled back is everywhere as it was before, by itself or by hand", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      policyArb,
      fc.nat(6),
      fc.boolean(),
      (replicas, policy, rounds, isBroken) => {
        const cluster = settled(replicas, {
          ...policy,
          failureThreshold: 1,
          onFailure: "rollback",
        });
        const { template } = recordOf(cluster);
        applyTemplate(cluster, isBroken);
        for (let round = 0; round < rounds; round += 1) cluster.round();
        if (!isBroken) goBack(cluster);
        cluster.settle();
        const after = recordOf(cluster);
        expect(after.template).toBe(template);
        expect(after.rollout).toMatchObject({
          state: { kind: "done" },
          rolledBackBecause: expect.stringMatching(isBroken ? /failed/ : /asked/),
        });
        expect(ordered(cluster).map((one) => one.template)).toEqual(Array(replicas).fill(template));
        expect(cluster.running()).toHaveLength(replicas);
        expect(cluster.faults).toEqual([]);
      },
    ),
    RUNS,
  );
});

test("where there is room for nothing extra, an update that may take one down goes on", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 3 }),
      (size, maxSurge) => {
        const replicas = size * 3;
        const cluster = settled(replicas, anUpdatePolicy({ maxSurge }), 0);
        applyTemplate(cluster, false);
        const { waiting } = cluster.plan();
        const extra = waiting.find((one) => one.instance === "web-100000");
        expect(extra?.refusals.length).toBeGreaterThan(0);
        cluster.settle();
        expect(recordOf(cluster).rollout.state).toEqual({ kind: "done" });
        expect(cluster.faults).toEqual([]);
      },
    ),
    RUNS,
  );
});
