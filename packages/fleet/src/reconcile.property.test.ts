/** Random clusters, random histories: the invariants hold at every pass, and in the end it settles. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { aContainer, aFleet, aHost, aPlacement, aVm, fleetName } from "../test/build.ts";
import { SimulatedCluster } from "../test/simulated-cluster.ts";
import type { FleetRecord, HostView, InstanceWish } from "./snapshot.ts";

const FLEETS = ["batch", "desk", "web"] as const;
const HOSTS = 4;

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
      maxUnavailable: fc.integer({ min: 1, max: 3 }),
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
        update: { maxUnavailable: one.maxUnavailable },
        onHostLoss: one.onHostLoss,
      });
    });

const hostArb = (name: string): fc.Arbitrary<HostView> =>
  fc
    .record({
      vcpuMillis: fc.integer({ min: 2, max: 8 }).map((cpus) => cpus * 1000),
      memoryMib: fc.integer({ min: 2, max: 8 }).map((gib) => gib * 1024),
      diskMib: fc.integer({ min: 4, max: 16 }).map((gib) => gib * 1024),
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
  }),
  fc.record({ kind: fc.constantFrom("stop" as const, "start" as const), fleet, index }),
  fc.record({ kind: fc.constant("restart" as const), fleet, index, by: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom("drain" as const, "undrain" as const), at }),
  fc.record({ kind: fc.constantFrom("cut" as const, "crash" as const), at, which: fc.nat(9) }),
  fc.record({ kind: fc.constantFrom("lose" as const, "power" as const, "return" as const), at }),
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
  const host = "at" in command ? cluster.hosts[command.at] : undefined;
  const setHost = (state: Parameters<SimulatedCluster["setHost"]>[1]): void => {
    if (host !== undefined) cluster.setHost(host.view.name, state);
  };
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
    case "scale":
      cluster.change(command.fleet, (record) => ({
        ...record,
        spec: { ...record.spec, replicas: command.replicas },
      }));
      break;
    case "delete":
      cluster.change(command.fleet, (record) => ({ ...record, state: "deleting" }));
      break;
    case "template": {
      const template = cluster.newTemplate();
      cluster.change(command.fleet, (record) => {
        const vcpuMillis = command.cpus * 1000;
        const resources = { ...record.spec.template.resources, vcpuMillis };
        const changed = { ...record.spec.template, resources };
        return { ...record, template, spec: { ...record.spec, template: changed } };
      });
      break;
    }
    case "stop":
    case "start":
      cluster.change(command.fleet, (record) =>
        wished(record, command.index, { isStopped: command.kind === "stop" }),
      );
      break;
    case "restart":
      cluster.change(command.fleet, (record) =>
        wished(record, command.index, { minIncarnation: command.by }),
      );
      break;
    case "drain":
      setHost({ admin: "draining" });
      break;
    case "undrain":
      setHost({ admin: "active" });
      break;
    case "crash":
      if (host !== undefined) cluster.crash(host, command.which);
      break;
    case "power":
      if (host !== undefined) cluster.losePower(host);
      setHost({ liveness: "lost" });
      break;
    case "cut":
    case "lose":
      setHost({ liveness: "lost" });
      break;
    case "unknown":
      setHost({ liveness: "unknown" });
      break;
    case "return":
      setHost({ liveness: "up" });
      break;
    case "replay":
      cluster.replayStaleOrders();
      break;
  }
}

test("whatever happens, I1, I3, I4, I5 and I8 hold at every pass, and it settles (I7)", () => {
  fc.assert(
    fc.property(clusterArb, fc.array(commandArb, { maxLength: 40 }), (build, commands) => {
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
    { maxLength: 40 },
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
