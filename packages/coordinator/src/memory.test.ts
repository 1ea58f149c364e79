/** What a coordinator does whose control state is older than what hosts go by. */
import type { HostName, Orders } from "@evm/fleet";
import { createMemoryStore, type MemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import {
  agentOf,
  declare,
  startCoordinator,
  startHost,
  type TestCoordinator,
} from "../test/cluster.ts";

const SECOND_MS = 1_000;
const name = (text: string) => text as HostName;

/** What h1 and h2 go by, from a cluster of which nothing else is left. */
async function ordersOfOld(): Promise<ReadonlyMap<string, Orders>> {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await using _h2 = await startHost({ store }, "h2", "ready", clock);
  await using _leader = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "web", 2);
  await clock.advance(SECOND_MS);
  const { orders } = store.coordinator("observer").control();
  return new Map([...orders].map(([host, { value }]) => [host, value]));
}

const written = (store: MemoryStore) =>
  [...store.coordinator("observer").control().orders.values()].map(({ value }) => {
    const entries = value.instances.map((one) => `${one.name}.${one.incarnation} ${one.desired}`);
    return `${value.host}: ${entries.join(", ")}`;
  });

const livenessOf = ({ coordinator }: TestCoordinator) =>
  coordinator.picture().snapshot.hosts.map((host) => `${host.name} ${host.liveness}`);

async function reasons(store: MemoryStore): Promise<readonly string[]> {
  const about = { fleet: undefined, instance: undefined, host: undefined };
  const query = { ...about, afterSequence: 0, beforeSequence: undefined, limit: 1_000 };
  const listed = await store
    .coordinator("observer")
    .listEvents(query, AbortSignal.timeout(SECOND_MS));
  return listed.map(({ event }) => event.reason);
}

test("after the loss of all control state nothing is ordered and nobody is lost (P6)", async () => {
  const old = await ordersOfOld();
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock, old.get("h1"));
  const h2 = await startHost({ store }, "h2", "ready", clock, old.get("h2"));
  await using leader = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "other", 3);
  await h2[Symbol.asyncDispose]();
  await clock.advance(30 * SECOND_MS);
  expect(written(store)).toEqual([]);
  expect(livenessOf(leader)).toEqual(["h1 up", "h2 unknown"]);
  expect(leader.coordinator.doubts()).toEqual([expect.stringMatching(/h1, h2.*evm restore/)]);
  expect((await reasons(store)).filter((one) => /Control|Lost/.test(one))).toEqual([
    "ControlStateLost",
  ]);
  expect(await leader.registry.metrics()).toContain("evm_control_state_lost 1");
});

test("heartbeats alone tell it, and nobody gets a lease: what others run is unknown", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using leader = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  const host = store.host(name("h1"));
  const beat = () =>
    host.heartbeat(
      { host: host.host, agent: agentOf(host.host), epoch: 9, generation: 4 },
      AbortSignal.timeout(1_000),
    );
  const other = store.host(name("h2"));
  const newcomer = { host: other.host, agent: agentOf(other.host), epoch: 0, generation: 0 };
  for (let second = 0; second < 5; second += 1) {
    expect(await beat()).toBe(undefined);
    await clock.advance(SECOND_MS);
    expect(await other.heartbeat(newcomer, AbortSignal.timeout(SECOND_MS))).toBe(undefined);
  }
  expect(leader.coordinator.memory).toEqual({ kind: "lost", hosts: ["h1"] });
});

test("a host from elsewhere is left alone and promised nothing; others are served", async () => {
  const old = await ordersOfOld();
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h3 = await startHost({ store }, "h3", "ready", clock);
  await using leader = startCoordinator(store, "a", clock);
  await clock.advance(SECOND_MS);
  await declare(store, "other", 1);
  await clock.advance(SECOND_MS);
  await using _h1 = await startHost({ store }, "h1", "ready", clock, old.get("h1"));
  await clock.advance(5 * SECOND_MS);
  await declare(store, "other", 2);
  await clock.advance(SECOND_MS);
  expect(written(store)).toEqual(["h3: other-0000.1 run, other-0001.1 run"]);
  expect(leader.coordinator.memory.kind).toBe("whole");
  expect(leader.coordinator.doubts()).toEqual([expect.stringMatching(/h1.*evm restore/)]);
  expect(await reasons(store)).toContain("HostEstranged");
  const beat = { host: name("h1"), agent: agentOf(name("h1")), epoch: 1, generation: 1 };
  const grant = await store.host(name("h1")).heartbeat(beat, AbortSignal.timeout(SECOND_MS));
  expect(grant).toBe(undefined);
});

test("a moment's lead of a host over what is known here is not told", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  await using _h1 = await startHost({ store }, "h1", "ready", clock);
  await using leader = startCoordinator(store, "a", clock);
  await using follower = startCoordinator(store, "b", clock);
  await clock.advance(SECOND_MS);
  store.disconnect("coordinator/b");
  await declare(store, "web", 1);
  await clock.advance(2 * SECOND_MS);
  store.reconnect("coordinator/b");
  await clock.advance(5 * SECOND_MS);
  for (const { coordinator } of [leader, follower]) expect(coordinator.doubts()).toEqual([]);
  expect(await reasons(store)).not.toContain("ControlStateLost");
});
