/** Many hosts that vanish at once: coordinators, hosts and their store, under a clock by hand. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallContext,
  ConfirmLostRequestSchema,
  GetClusterStatusRequestSchema,
} from "@evm/protocol";
import { createMemoryStore, type MemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { declare, startCoordinator, startHost, type TestCoordinator } from "../test/cluster.ts";
import { clusterHandlers } from "./api/cluster.ts";
import { hostHandlers } from "./api/hosts.ts";

const SECOND_MS = 1_000;
/** A lease and its margin, and what it takes to notice. */
const LOSS_MS = 9 * SECOND_MS;

const nameOf = (at: number): string => `h${String(at).padStart(2, "0")}`;

/** A settled cluster of `count` hosts with as many instances, the leader past its first lease. */
async function aCluster(count: number) {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const hosts: AsyncDisposable[] = [];
  for (let at = 0; at < count; at += 1) {
    hosts.push(await startHost({ store }, nameOf(at), "ready", clock));
  }
  const leader = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "web", count);
  await clock.advance(15 * SECOND_MS);
  return {
    store,
    clock,
    leader,
    kill: async (from: number, to: number) => {
      await Promise.all(hosts.slice(from, to).map((host) => host[Symbol.asyncDispose]()));
    },
    start: async (at: number) => {
      hosts[at] = await startHost({ store }, nameOf(at), "ready", clock);
    },
    async [Symbol.asyncDispose]() {
      await leader[Symbol.asyncDispose]();
      await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
    },
  };
}

/** How many instances are ordered to run on hosts of these numbers. */
const runsOn = (store: MemoryStore, from: number, to: number): number => {
  const { orders } = store.coordinator("observer").control();
  const names = new Set(Array.from({ length: to - from }, (_, at) => nameOf(from + at)));
  return [...orders.values()]
    .filter(({ value }) => names.has(value.host))
    .flatMap(({ value }) => value.instances)
    .filter(({ desired }) => desired === "run").length;
};

const stateOf = ({ coordinator }: TestCoordinator) => {
  const { hosts, brake } = coordinator.picture().snapshot;
  const count = (liveness: string) => hosts.filter((host) => host.liveness === liveness).length;
  return { up: count("up"), silent: count("silent"), lost: count("lost"), brake };
};

const told = async (store: MemoryStore): Promise<readonly string[]> => {
  const query = { fleet: undefined, instance: undefined, host: undefined, afterSequence: 0 };
  const listed = await store
    .coordinator("observer")
    .listEvents({ ...query, beforeSequence: undefined, limit: 1_000 }, AbortSignal.timeout(1_000));
  const reasons = ["HostLost", "RescheduleBraked", "BrakeReleased", "HostStopped"];
  return listed.map(({ event }) => event.reason).filter((reason) => reasons.includes(reason));
};

test("10 of 50 hosts are lost, and all their instances begin elsewhere", async () => {
  await using cluster = await aCluster(50);
  const { store, clock, leader } = cluster;
  await cluster.kill(0, 10);
  await clock.advance(LOSS_MS);
  expect(stateOf(leader)).toMatchObject({ up: 40, lost: 10, brake: undefined });
  expect([runsOn(store, 0, 10), runsOn(store, 10, 50)]).toEqual([0, 50]);
});

test("20 of 50 are not: from the first lease that ends nothing is moved at all", async () => {
  await using cluster = await aCluster(50);
  const { store, clock, leader } = cluster;
  const before = runsOn(store, 0, 20);
  // Not in the same instant: each host's lease is its own.
  for (let from = 0; from < 20; from += 5) {
    await cluster.kill(from, from + 5);
    await clock.advance(SECOND_MS);
  }
  for (let step = 0; step < 40; step += 1) {
    await clock.advance(250);
    expect(runsOn(store, 0, 20)).toBe(before);
  }
  expect(stateOf(leader)).toMatchObject({
    ...{ up: 30, silent: 20, lost: 0 },
    brake: { silent: 20, known: 50, most: 15 },
  });
  await clock.advance(60 * SECOND_MS);
  expect(runsOn(store, 0, 20)).toBe(before);
  expect(await told(store)).toEqual(["RescheduleBraked"]);
  expect(await leader.registry.metrics()).toContain("evm_brake_active 1\n");
});

test("the brake ends by itself when enough hosts are back; the others are lost then", async () => {
  await using cluster = await aCluster(6);
  const { store, clock, leader } = cluster;
  await cluster.kill(0, 3);
  await clock.advance(LOSS_MS);
  expect(stateOf(leader)).toMatchObject({ silent: 3, lost: 0 });
  await cluster.start(0);
  await clock.advance(SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ up: 4, silent: 2, lost: 0 });
  await cluster.start(1);
  await clock.advance(2 * SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ up: 5, silent: 0, lost: 1, brake: undefined });
  expect(runsOn(store, 2, 3)).toBe(0);
  expect(await told(store)).toEqual(["RescheduleBraked", "BrakeReleased", "HostLost"]);
  expect(await leader.registry.metrics()).toContain("evm_brake_active 0\n");
});

/** The API of a coordinator, called without a wire. */
function apiOf({ store, clock, leader: { coordinator } }: Cluster) {
  const own = store.coordinator("a");
  const blastLimits = { maxShare: 0.25, minInstances: 10 };
  const context = { id: "a", version: "", coordinator, store: own, clock, blastLimits };
  const call: CallContext = { method: "", peer: "", signal: AbortSignal.timeout(10_000) };
  return {
    confirmLost: (request: MessageInitShape<typeof ConfirmLostRequestSchema>) =>
      hostHandlers(context).confirmLost(create(ConfirmLostRequestSchema, request), call),
    status: () =>
      clusterHandlers(context).getClusterStatus(create(GetClusterStatusRequestSchema), call),
  };
}

type Cluster = Awaited<ReturnType<typeof aCluster>>;

test("2 of 3 are held until an operator confirms by their number, until a new report", async () => {
  await using cluster = await aCluster(3);
  const { store, clock, leader } = cluster;
  const { confirmLost, status } = apiOf(cluster);
  await cluster.kill(0, 2);
  await clock.advance(LOSS_MS);
  expect(stateOf(leader)).toMatchObject({ up: 1, silent: 2, lost: 0 });
  expect(await status()).toMatchObject({
    ...{ hostsUp: 1, hostsLost: 0 },
    brake: { silent: 2, known: 3, most: 1, overdue: 2 },
    notes: [
      expect.stringMatching(/^the brake holds: 2 of 3 hosts are silent at once, more than 1;/),
    ],
  });

  await expect(confirmLost({ isAllSilent: true })).rejects.toMatchObject({
    code: "failedPrecondition",
    message: "this would take 2 of 3 hosts for lost, with 2 instances; confirm with --confirm 2",
    info: { reason: "CONFIRMATION_NEEDED", metadata: { confirm: "2" } },
  });
  await expect(confirmLost({ names: ["h00", "h02"], confirmed: 2 })).rejects.toMatchObject({
    message: 'host "h02": is heard of, and so not lost',
  });
  const { hosts } = await confirmLost({ isAllSilent: true, confirmed: 2 });
  expect(hosts?.map(({ name }) => name)).toEqual(["h00", "h01"]);
  await clock.advance(SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ up: 1, silent: 0, lost: 2 });
  expect(runsOn(store, 2, 3)).toBe(3);
  // Said twice is as good as once, by whatever number.
  expect((await confirmLost({ names: ["h00"] })).hosts).toHaveLength(1);

  await cluster.start(0);
  await cluster.start(1);
  await declare(store, "web", 30);
  await clock.advance(2 * SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ up: 3 });
  await cluster.kill(0, 2);
  await clock.advance(LOSS_MS);
  expect(stateOf(leader)).toMatchObject({ up: 1, silent: 2, lost: 0 });
});

test("a new leader keeps braking", async () => {
  await using cluster = await aCluster(3);
  const { store, clock, leader } = cluster;
  await using second = startCoordinator(store, "b", clock);
  await clock.advance(SECOND_MS);
  await cluster.kill(0, 2);
  await clock.advance(LOSS_MS);
  const before = runsOn(store, 0, 2);
  await leader[Symbol.asyncDispose]();
  // A fresh one that has never heard the hosts.
  await using third = startCoordinator(store, "c", clock);
  for (let step = 0; step < 120; step += 1) {
    await clock.advance(500);
    expect(runsOn(store, 0, 2)).toBe(before);
    expect([stateOf(second).lost, stateOf(third).lost]).toEqual([0, 0]);
  }
  expect([stateOf(second).silent, stateOf(third).silent]).toEqual([2, 2]);
});

test("an outage of the store alone never calls a host lost, nor starts the brake", async () => {
  await using cluster = await aCluster(3);
  const { store, clock, leader } = cluster;
  store.disconnect("coordinator/a");
  await clock.advance(60 * SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ silent: 0, lost: 0, brake: undefined });
  store.reconnect("coordinator/a");
  await clock.advance(20 * SECOND_MS);
  expect(stateOf(leader)).toMatchObject({ up: 3, silent: 0, lost: 0 });
  expect(await told(store)).toEqual([]);
});

test("a leader that loses the store while it brakes releases nothing", async () => {
  await using cluster = await aCluster(3);
  const { store, clock } = cluster;
  await cluster.kill(0, 2);
  await clock.advance(LOSS_MS);
  store.disconnect("coordinator/a");
  await clock.advance(30 * SECOND_MS);
  store.reconnect("coordinator/a");
  await clock.advance(20 * SECOND_MS);
  expect(await told(store)).toEqual(["RescheduleBraked"]);
});

test("a host that was drained may stop without an alarm, and counts for no brake", async () => {
  await using cluster = await aCluster(3);
  const { store, clock, leader } = cluster;
  const operator = store.coordinator("operator");
  const [host] = [...operator.reports().keys()].sort();
  if (host === undefined) throw new Error("no host has reported");
  const record = { name: host, admin: "draining", confirmedLost: undefined } as const;
  await operator.putHost(record, 0, AbortSignal.timeout(1_000));
  await clock.advance(5 * SECOND_MS);
  expect(runsOn(store, 0, 1)).toBe(0);
  await cluster.kill(0, 1);
  await clock.advance(LOSS_MS);
  expect(await told(store)).toEqual(["HostStopped"]);
  expect(await leader.registry.metrics()).toContain('evm_hosts{liveness="maintenance"} 1\n');
  await cluster.kill(1, 2);
  await clock.advance(LOSS_MS);
  expect(stateOf(leader).brake).toBeUndefined();
  expect([runsOn(store, 0, 2), runsOn(store, 2, 3)]).toEqual([0, 3]);

  await cluster.start(0);
  await clock.advance(2 * SECOND_MS);
  expect(leader.coordinator.picture().snapshot.hosts[0]).toMatchObject({
    liveness: "up",
    admin: "draining",
  });
  expect(runsOn(store, 0, 1)).toBe(0);
});
