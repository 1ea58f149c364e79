import type { AgentId, HostName } from "@evm/fleet";
import {
  type CommitRequest,
  type CoordinatorStore,
  createMemoryStore,
  type MemoryStore,
  StoreError,
} from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import {
  agentOf,
  declare,
  startCoordinator,
  startHost,
  type TestCoordinator,
} from "../test/cluster.ts";
import { overlaid } from "../test/overlaid-store.ts";

const SECOND_MS = 1_000;

/** Names of the coordinators that lead, by their own account. */
const leaders = (all: readonly TestCoordinator[]): readonly number[] =>
  all.flatMap(({ coordinator: { leadership } }, at) => (leadership.kind === "leading" ? [at] : []));

/** "h1: 2" for each host with orders, and how many instances they are to run. */
const runs = (store: MemoryStore): readonly string[] =>
  [...store.coordinator("observer").control().orders.values()].map(({ value }) => {
    const running = value.instances.filter((one) => one.desired === "run");
    return `${value.host}: ${running.length}`;
  });

const livenessOf = ({ coordinator }: TestCoordinator) =>
  coordinator.picture().snapshot.hosts.map((host) => `${host.name} ${host.liveness}`);

const events = async (store: MemoryStore, reason: string): Promise<readonly string[]> => {
  const query = { fleet: undefined, instance: undefined, host: undefined, afterSequence: 0 };
  const listed = await store
    .coordinator("observer")
    .listEvents({ ...query, beforeSequence: undefined, limit: 1_000 }, AbortSignal.timeout(1_000));
  return listed.flatMap(({ event }) => (event.reason === reason ? [event.text] : []));
};

test("when the leader is killed another leads, knows the hosts, and commits", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  const first = startCoordinator(store, "a", clock);
  await using second = startCoordinator(store, "b", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "web", 2);
  await clock.advance(SECOND_MS);
  expect([leaders([first, second]), runs(store)]).toEqual([[0], ["h1: 2"]]);

  await first[Symbol.asyncDispose]();
  await declare(store, "web", 3);
  await clock.advance(3 * SECOND_MS);
  expect([leaders([first, second]), runs(store)]).toEqual([[1], ["h1: 3"]]);
  expect(livenessOf(second)).toEqual(["h1 up"]);
  const { epoch } = store.coordinator("observer").control().epoch;
  expect(
    store
      .coordinator("observer")
      .control()
      .orders.get("h1" as HostName)?.value.epoch,
  ).toBe(epoch);
});

test("a leader that was cut off follows when it is back, and commits nothing", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await using first = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  await using second = startCoordinator(store, "b", clock);
  store.disconnect("coordinator/a");
  await clock.advance(3 * SECOND_MS);
  expect(leaders([first, second])).toEqual([0, 1]);
  await declare(store, "web", 1);
  store.reconnect("coordinator/a");
  await clock.advance(SECOND_MS);
  expect([leaders([first, second]), runs(store)]).toEqual([[1], ["h1: 1"]]);
});

test("only the leader calls a silent host lost, and its instances begin elsewhere", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const h1 = await startHost({ store }, "h1", "ready", clock);
  await using leader = startCoordinator(store, "a", clock);
  await using follower = startCoordinator(store, "b", clock);
  await declare(store, "web", 1);
  await clock.advance(13 * SECOND_MS);
  expect(runs(store)).toEqual(["h1: 1"]);

  await using _h2 = await startHost({ store }, "h2", "ready", clock);
  await h1[Symbol.asyncDispose]();
  await clock.advance(8 * SECOND_MS);
  expect(livenessOf(leader)).toEqual(["h1 lost", "h2 up"]);
  expect(livenessOf(follower)).toEqual(["h1 unknown", "h2 up"]);
  expect(runs(store)).toEqual(["h1: 0", "h2: 1"]);
  expect(await events(store, "HostLost")).toEqual(["h1 is lost"]);
});

test("a leader that was cut off for long calls no host lost when it is back", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await using leader = startCoordinator(store, "a", clock);
  await clock.advance(20 * SECOND_MS);
  store.disconnect("coordinator/a");
  await clock.advance(30 * SECOND_MS);
  expect(livenessOf(leader)).toEqual(["h1 unknown"]);
  store.reconnect("coordinator/a");
  await clock.advance(10 * SECOND_MS);
  expect(livenessOf(leader)).toEqual(["h1 up"]);
  expect(await events(store, "HostLost")).toEqual([]);
});

test("leases are answered by the leader only, and end with its footing", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const h1 = store.host("h1" as HostName);
  const beat = () =>
    h1.heartbeat(
      { host: h1.host, agent: agentOf(h1.host), epoch: 0, generation: 0 },
      AbortSignal.timeout(1_000),
    );
  await using _leader = startCoordinator(store, "a", clock);
  await using _follower = startCoordinator(store, "b", clock);
  expect(await beat()).toBe(undefined);
  await clock.advance(30 * SECOND_MS);
  expect(await beat()).toEqual({ epoch: 1, leaseMs: 6_000 });

  // Somebody else's epoch: the leader's next confirmation is refused by the fence.
  await store.coordinator("x").claimEpoch("x", 1, AbortSignal.timeout(1_000));
  await clock.advance(100);
  expect(await beat()).toBe(undefined);
});

test("only the leader tells of the cluster in its metrics", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await using leader = startCoordinator(store, "a", clock);
  await using follower = startCoordinator(store, "b", clock);
  await declare(store, "web", 2);
  await clock.advance(2 * SECOND_MS);
  const told = async ({ registry }: TestCoordinator) =>
    (await registry.metrics())
      .split("\n")
      .filter((line) => /^evm_(coordinator_is_leader|fleet_instances|hosts\{)/.test(line));
  expect(await told(leader)).toEqual([
    "evm_coordinator_is_leader 1",
    'evm_fleet_instances{fleet="web",phase="ready"} 2',
    'evm_hosts{liveness="up"} 1',
    'evm_hosts{liveness="unknown"} 0',
    'evm_hosts{liveness="silent"} 0',
    'evm_hosts{liveness="lost"} 0',
    'evm_hosts{liveness="maintenance"} 0',
  ]);
  expect(await told(follower)).toEqual(["evm_coordinator_is_leader 0"]);
});

test("a host that was lost is promised nothing before it applied its newest orders", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const lost = await startHost({ store }, "h1", "ready", clock);
  await using _leader = startCoordinator(store, "a", clock);
  await clock.advance(1);
  await declare(store, "web", 1);
  await clock.advance(13 * SECOND_MS);
  await using _h2 = await startHost({ store }, "h2", "ready", clock);
  await lost[Symbol.asyncDispose]();
  await clock.advance(8 * SECOND_MS);
  expect(runs(store)).toEqual(["h1: 0", "h2: 1"]);

  const h1 = store.host("h1" as HostName);
  const beat = (generation: number) =>
    h1.heartbeat(
      { host: h1.host, agent: agentOf(h1.host), epoch: 1, generation },
      AbortSignal.timeout(1_000),
    );
  expect(await beat(2)).toBe(undefined);
  await clock.advance(SECOND_MS);
  expect(await beat(1)).toBe(undefined);
  expect(await beat(2)).toMatchObject({ leaseMs: 6_000 });
});

/** A store that, once armed, carries out a commit, says that it failed, and falls behind. */
function losingTheAnswer(inner: CoordinatorStore) {
  let isArmed = false;
  let frozen: ReturnType<CoordinatorStore["control"]> | undefined;
  const commit = async (request: CommitRequest, signal: AbortSignal) => {
    if (!isArmed || request.orders.length === 0) return inner.commit(request, signal);
    frozen = inner.control();
    isArmed = false;
    await inner.commit(request, signal);
    throw new StoreError("unavailable", "committing orders: no answer");
  };
  const store = overlaid(inner, { commit, control: () => frozen ?? inner.control() });
  return {
    store,
    arm: () => {
      isArmed = true;
    },
    catchUp: () => {
      frozen = undefined;
    },
  };
}

test("a host that is back is promised nothing while it is not known what was ordered", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const lost = await startHost({ store }, "h1", "ready", clock);
  const { arm, catchUp, store: forgetful } = losingTheAnswer(store.coordinator("a"));
  await using _leader = startCoordinator({ coordinator: () => forgetful }, "a", clock);
  await clock.advance(1);
  await declare(store, "web", 1);
  await clock.advance(13 * SECOND_MS);
  await using _h2 = await startHost({ store }, "h2", "ready", clock);
  await clock.advance(SECOND_MS);
  await lost[Symbol.asyncDispose]();
  arm();
  const h1 = store.host("h1" as HostName);
  const beat = (generation: number) =>
    h1.heartbeat(
      { host: h1.host, agent: agentOf(h1.host), epoch: 1, generation },
      AbortSignal.timeout(1_000),
    );
  while (runs(store).includes("h1: 1")) await clock.advance(20);
  for (let passes = 0; passes < 10; passes += 1) {
    expect(await beat(1)).toBe(undefined);
    await clock.advance(100);
  }
  catchUp();
  await clock.advance(SECOND_MS);
  expect(await beat(1)).toBe(undefined);
  expect(await beat(2)).toMatchObject({ leaseMs: 6_000 });
});

test("a leader plans nothing and promises nothing before it sees its own epoch", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await declare(store, "web", 1);
  await clock.advance(SECOND_MS);
  const inner = store.coordinator("a");
  let known: ReturnType<CoordinatorStore["control"]> | undefined = inner.control();
  const late = overlaid(inner, { control: () => known ?? inner.control() });
  await using leader = startCoordinator({ coordinator: () => late }, "a", clock);
  const h2 = store.host("h2" as HostName);
  const beat = () =>
    h2.heartbeat(
      { host: h2.host, agent: agentOf(h2.host), epoch: 0, generation: 0 },
      AbortSignal.timeout(1_000),
    );
  await clock.advance(SECOND_MS);
  expect([leaders([leader]), runs(store), await beat()]).toEqual([[0], [], undefined]);
  known = undefined;
  await clock.advance(SECOND_MS);
  expect(runs(store)).toEqual(["h1: 1"]);
  expect(await beat()).toMatchObject({ leaseMs: 6_000 });
});

test("a second machine of one name gets no lease, and succeeds one that is lost", async () => {
  const host = "h1" as HostName;
  const twin = "agent-2" as AgentId;
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using leader = startCoordinator(store, "a", clock);
  const first = await startHost({ store }, host, "ready", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "web", 1);
  await clock.advance(SECOND_MS);
  const orders = () => store.coordinator("b").control().orders.get(host)?.value;
  expect(orders()).toMatchObject({ agent: agentOf(host), instances: [{ desired: "run" }] });

  const link = store.host(host);
  const beat = () =>
    link.heartbeat({ host, agent: twin, epoch: 0, generation: 0 }, AbortSignal.timeout(1_000));
  for (let second = 0; second < 20; second += 1) {
    expect(await beat()).toBeUndefined();
    await clock.advance(SECOND_MS);
  }
  const before = orders();
  expect(before?.agent).toBe(agentOf(host));
  expect(leader.coordinator.doubts()).toEqual([expect.stringMatching(/themselves h1.*agent-2/)]);
  expect(await events(store, "HostNameTaken")).toHaveLength(1);
  expect(await leader.registry.metrics()).toContain("evm_refused_machines 1");

  await using _other = await startHost({ store }, "h2", "ready", clock);
  await first[Symbol.asyncDispose]();
  let silentMs = 0;
  for (; orders()?.agent !== twin && silentMs < 30_000; silentMs += 500) {
    expect(await beat()).toBeUndefined();
    await clock.advance(500);
  }
  expect(silentMs).toBeGreaterThanOrEqual(7_500 - 500);
  expect(silentMs).toBeLessThan(7_500 + 2_500);
  expect(orders()?.generation).toBe((before?.generation ?? 0) + 1);
  // A pass that no longer takes the host for lost has to end first.
  await beat();
  await clock.advance(SECOND_MS);
  expect(await beat()).toMatchObject({ leaseMs: 6_000 });
  expect(await events(store, "HostReplaced")).toHaveLength(1);
  expect([runs(store), await events(store, "HostLost")]).toEqual([["h1: 1"], []]);
  expect(leader.coordinator.doubts()).toEqual([]);
});
