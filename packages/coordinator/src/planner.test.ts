import { type CoordinatorStore, createMemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { declare, startHost, testTelemetry } from "../test/cluster.ts";
import { Announcer } from "./announcer.ts";
import { Camera } from "./picture.ts";
import { Planner } from "./planner.ts";

const { signal } = new AbortController();

async function aPlanner() {
  const store = createMemoryStore();
  const own = store.coordinator("a");
  const clock = new ManualClock();
  const events: string[] = [];
  const add = (event: { readonly reason: string }) => events.push(event.reason);
  const announcer = new Announcer({ id: "a", clock, add });
  const { log, metrics } = testTelemetry();
  const planner = new Planner({ store: own, log, metrics, announcer });
  const camera = new Camera();
  const overcommit = { vcpu: 1, memory: 1, disk: 1 };
  const take = (epoch: number) =>
    camera.take({
      epoch,
      control: own.control(),
      reports: own.reports(),
      heartbeats: new Map(),
      rivals: new Map(),
      signOf: () => "up",
      overcommit,
      waveShare: 0.1,
      maxLostShare: 1,
    });
  const host = await startHost({ store }, "h1", "ready", clock);
  await clock.advance(0);
  return { store, own, planner, events, take, host };
}

async function claim(store: CoordinatorStore, expected: number): Promise<number> {
  const outcome = await store.claimEpoch("a", expected, signal);
  if (outcome.kind === "conflict") throw new Error("somebody else leads");
  return outcome.revision;
}

test("a plan is committed and told; where nothing is to change nothing is done", async () => {
  const { store, own, planner, events, take, host } = await aPlanner();
  await using _host = host;
  await own.claimEpoch("a", 0, signal);
  expect(await planner.pass(take(1), signal)).toEqual({ kind: "idle" });
  await declare(store, "web", 2);
  const picture = take(1);
  expect(await planner.pass(picture, signal)).toMatchObject({ kind: "committed" });
  expect(events).toEqual(["InstancePlaced", "InstancePlaced"]);
  expect(await planner.pass(take(1), signal)).toEqual({ kind: "idle" });
});

test("a leader that froze with a plan in hand cannot commit it (P3)", async () => {
  const { store, own, planner, events, take, host } = await aPlanner();
  await using _host = host;
  await own.claimEpoch("a", 0, signal);
  await declare(store, "web", 1);
  const picture = take(1);
  await store.coordinator("b").claimEpoch("b", 1, signal);
  expect(await planner.pass(picture, signal)).toMatchObject({ kind: "rejected" });
  expect(own.control().orders.size).toBe(0);
  expect(events).toEqual([]);
});

test("what others wrote meanwhile has a commit rejected, the next one right (P2)", async () => {
  const { store, own, planner, take, host } = await aPlanner();
  await using _host = host;
  await own.claimEpoch("a", 0, signal);
  await declare(store, "web", 1);
  const old = take(1);
  await planner.pass(old, signal);
  await declare(store, "api", 1);
  expect(await planner.pass(old, signal)).toMatchObject({ kind: "rejected" });
  expect(await planner.pass(take(1), signal)).toMatchObject({ kind: "committed" });
});

test("a plan that breaks an invariant is not committed, and told once (P1)", async () => {
  const { store, own, planner, events, take, host } = await aPlanner();
  await using _host = host;
  await own.claimEpoch("a", 0, signal);
  await declare(store, "web", 1);
  const { snapshot, control, plan } = take(1);
  const orders = plan.orders.map((one) => ({ ...one, epoch: 7 }));
  for (let pass = 0; pass < 3; pass += 1) {
    const broken = { snapshot, control, plan: { ...plan, orders } };
    expect(await planner.pass(broken, signal)).toEqual({ kind: "refused" });
  }
  expect(own.control().orders.size).toBe(0);
  expect(events).toEqual(["PlanRefused"]);
});

test("orders of one host that are too large do not keep those of others back", async () => {
  const { store, own, planner, events, take, host } = await aPlanner();
  await using _h1 = host;
  const clock = new ManualClock();
  await using _h2 = await startHost({ store }, "h2", "ready", clock);
  await clock.advance(0);
  await own.claimEpoch("a", 0, signal);
  await declare(store, "web", 2);
  const { snapshot, control, plan } = take(1);
  const orders = plan.orders.map((one) =>
    one.host === "h1" ? { ...one, templates: Array(9_000).fill(one.templates[0]) } : one,
  );
  const outcome = await planner.pass({ snapshot, control, plan: { ...plan, orders } }, signal);
  expect(outcome).toMatchObject({ kind: "committed" });
  expect([...own.control().orders.keys()]).toEqual(["h2"]);
  expect(events).toEqual(["OrdersTooLarge", "InstancePlaced"]);
});

test("nothing is planned on a view from before the epoch or the last commit (P4)", async () => {
  const { store, own, planner, take, host } = await aPlanner();
  await using _host = host;
  await declare(store, "web", 1);
  const reason = expect.stringMatching("is from before");
  expect(await planner.pass(take(99), signal)).toEqual({ kind: "rejected", reason });
  const epoch = await claim(own, 0);
  const old = take(epoch);
  expect(await planner.pass(old, signal)).toMatchObject({ kind: "committed" });
  // Another host's orders would not show that this is old.
  expect(await planner.pass(old, signal)).toEqual({ kind: "rejected", reason });
  expect(await planner.pass(take(epoch), signal)).toEqual({ kind: "idle" });
});

test("a commit of which nothing was heard ends the planning under its epoch (P5)", async () => {
  const { store, own, planner, take, host } = await aPlanner();
  await using _host = host;
  const first = await claim(own, 0);
  await declare(store, "web", 1);
  const picture = take(first);
  store.disconnect("coordinator/a");
  await expect(planner.pass(picture, signal)).rejects.toMatchObject({ code: "unavailable" });
  store.reconnect("coordinator/a");
  expect(await planner.pass(take(first), signal)).toEqual({ kind: "uncertain" });
  const next = await claim(own, first);
  expect(await planner.pass(take(next), signal)).toMatchObject({ kind: "committed" });
});
