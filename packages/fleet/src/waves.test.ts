/** Deletions and scale-downs of many: so many at once, and no more where they do not end. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { aContainer, aFleet, aHost, fleetName } from "../test/build.ts";
import { SimulatedCluster } from "../test/simulated-cluster.ts";
import type { FleetRecord } from "./snapshot.ts";

const WAVE = 10;
const TINY = { vcpuMillis: 10, memoryMib: 10, diskMib: 10 };

const fleet = (name: string, replicas: number) =>
  aFleet({ name: fleetName(name), replicas, template: aContainer({ resources: TINY }) });

/** Settled, with these fleets over three hosts. */
function settled(...fleets: readonly FleetRecord[]): SimulatedCluster {
  const hosts = ["h1", "h2", "h3"].map((name) => aHost(name));
  const cluster = new SimulatedCluster(fleets, hosts, { vcpu: 1, memory: 1, disk: 1 });
  cluster.settle();
  return cluster;
}

const deleting = (record: FleetRecord): FleetRecord => ({ ...record, state: "deleting" });
const scaledTo =
  (replicas: number) =>
  (record: FleetRecord): FleetRecord => ({ ...record, spec: { ...record.spec, replicas } });

/** Ordered to be discarded, and on a host that says that it is there. */
const inFlight = (cluster: SimulatedCluster): number =>
  cluster.hosts.flatMap(({ view: { name }, runtimes }) =>
    (cluster.orders.get(name)?.instances ?? []).filter(
      (one) => one.desired === "discard" && runtimes.has(`${one.name}.${one.incarnation}`),
    ),
  ).length;

test("a deletion ends so many at once, and the next as these are gone", () => {
  const cluster = settled(fleet("web", 35));
  cluster.change("web", deleting);
  const first = cluster.plan();
  expect(first.actions.filter(({ kind }) => kind === "discard")).toHaveLength(WAVE);
  expect(first.waiting).toHaveLength(25);
  expect(first.waiting[0]?.reason).toMatch(
    /^waits for its wave: 10 are being ended, \d on h1, \d on h2, \d on h3$/,
  );
  expect(cluster.plan().orders).toEqual([]);
  cluster.settle();
  expect([cluster.running(), [...cluster.fleets]]).toEqual([[], []]);
  expect(cluster.faults).toEqual([]);
});

test("one wave is for all fleets together", () => {
  const cluster = settled(fleet("api", 8), fleet("web", 20));
  cluster.change("api", deleting);
  cluster.change("web", scaledTo(5));
  const discards = cluster.plan().actions.filter(({ kind }) => kind === "discard");
  expect(discards).toHaveLength(WAVE);
  expect(new Set(discards.map((action) => action.fleet))).toEqual(new Set(["api", "web"]));
});

test("what does not end holds its place, and the rest is kept when it is called off", () => {
  const cluster = settled(fleet("web", 40));
  cluster.change("web", deleting);
  cluster.plan();
  // No host does anything, whatever it is ordered to.
  for (let round = 0; round < 5; round += 1) expect(cluster.plan().orders).toEqual([]);
  cluster.change("web", (record) => ({ ...record, state: "active" }));
  const before = new Set(cluster.running());
  cluster.settle();
  expect(cluster.running()).toHaveLength(40);
  expect(before.size).toBe(40);
  expect(cluster.discards).toHaveLength(WAVE);
  expect(cluster.faults).toEqual([]);
});

test("a host that is lost holds nothing up", () => {
  const cluster = settled(fleet("web", 30));
  const [h1] = cluster.hosts;
  if (h1 === undefined) throw new Error("there are three");
  cluster.change("web", deleting);
  cluster.plan();
  cluster.losePower(h1);
  cluster.settle();
  expect(cluster.running()).toEqual([]);
  expect(cluster.fleets.size).toBe(1);
  cluster.setHost(h1.view.name, { liveness: "up" });
  cluster.settle();
  expect(cluster.fleets.size).toBe(0);
});

test("never more than a wave at once, whatever is given up, taken back, slow or lost", () => {
  const name = fc.constantFrom("api", "web");
  const at = fc.nat(2);
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("plan" as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("act" as const) }) },
    fc.record({ kind: fc.constant("delete" as const), name }),
    fc.record({ kind: fc.constant("keep" as const), name }),
    fc.record({ kind: fc.constant("scale" as const), name, replicas: fc.nat(40) }),
    fc.record({ kind: fc.constantFrom("unknown" as const, "up" as const), at }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const cluster = settled(fleet("api", 20), fleet("web", 40));
      for (const one of commands) {
        const host = "at" in one ? cluster.hosts[one.at]?.view.name : undefined;
        switch (one.kind) {
          case "plan":
          case "act":
            cluster[one.kind]();
            break;
          case "delete":
            cluster.change(one.name, deleting);
            break;
          case "keep":
            cluster.change(one.name, (record) => ({ ...record, state: "active" }));
            break;
          case "scale":
            cluster.change(one.name, scaledTo(one.replicas));
            break;
          case "unknown":
          case "up":
            if (host !== undefined) cluster.setHost(host, { liveness: one.kind });
        }
        expect(inFlight(cluster)).toBeLessThanOrEqual(WAVE);
      }
      for (const { view } of cluster.hosts) cluster.setHost(view.name, { liveness: "up" });
      cluster.settle();
      expect(cluster.faults).toEqual([]);
      expect(cluster.missing()).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
