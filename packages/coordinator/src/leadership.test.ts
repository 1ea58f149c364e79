import { createMemoryStore, type MemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, onTestFinished, test } from "vitest";
import { FOOTING_MS, Leadership, TAKEOVER_MS } from "./leadership.ts";

/** Longer than the longest patience of a follower. */
const PATIENCE_MS = TAKEOVER_MS + 400;

function stand(store: MemoryStore, clock: ManualClock, id: string, random = 0) {
  const changes: string[] = [];
  const errors: unknown[] = [];
  const leadership = new Leadership({
    id,
    store: store.coordinator(id),
    clock,
    random: () => random,
    onChange: (state) => changes.push(state.kind),
    onError: (error) => errors.push(error),
  });
  const end = new AbortController();
  const running = leadership.run(end.signal).catch(() => undefined);
  const kill = async () => {
    end.abort();
    await running;
  };
  onTestFinished(kill);
  return { leadership, changes, errors, kill };
}

const epochOf = ({ leadership: { state } }: ReturnType<typeof stand>) =>
  state.kind === "leading" ? state.epoch : undefined;

test("of several that stand at once one leads, and the others follow while it pings", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const all = ["a", "b", "c"].map((id, at) => stand(store, clock, id, at / 10));
  await clock.advance(60_000);
  expect(all.map(epochOf)).toEqual([1, undefined, undefined]);
  expect(all.map((one) => one.changes)).toEqual([["leading"], [], []]);
});

test("a follower takes over from a killed leader after its patience, not before", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const a = stand(store, clock, "a");
  await clock.advance(1_000);
  const b = stand(store, clock, "b", 0.5);
  await clock.advance(1_000);
  await a.kill();
  await clock.advance(TAKEOVER_MS - 400);
  expect(epochOf(b)).toBe(undefined);
  await clock.advance(PATIENCE_MS);
  expect(epochOf(b)).toBe(2);
});

test("a follower that hears nothing, not even the store, deposes nobody (L5)", async () => {
  const memory = createMemoryStore();
  const clock = new ManualClock();
  const a = stand(memory, clock, "a");
  await clock.advance(1_000);
  const own = memory.coordinator("b");
  const unheard = Promise.withResolvers<never>();
  const errors: unknown[] = [];
  const end = new AbortController();
  const deaf = new Leadership({
    id: "b",
    store: {
      control: () => own.control(),
      watch: () => undefined,
      onPing: () => undefined,
      ping: (ping) => own.ping(ping),
      claimEpoch: (...given) => own.claimEpoch(...given),
      catchUp: () => unheard.promise,
    },
    clock,
    random: () => 0,
    onChange: () => undefined,
    onError: (error) => errors.push(error),
  });
  const running = deaf.run(end.signal).catch(() => undefined);
  await clock.advance(10 * PATIENCE_MS);
  unheard.reject(new Error("no answer in time"));
  await clock.advance(100);
  expect(errors).toHaveLength(1);
  expect(epochOf(a)).toBe(1);
  end.abort();
  await running;
});

test("a restarted leader claims an epoch of its own at once (L1)", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const before = stand(store, clock, "a");
  await clock.advance(100);
  await before.kill();
  const after = stand(store, clock, "a");
  expect(epochOf(after)).toBe(undefined);
  await clock.advance(100);
  expect(epochOf(after)).toBe(2);
});

test("a leader that sees a newer epoch follows (L2)", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const a = stand(store, clock, "a");
  await clock.advance(100);
  await store.coordinator("b").claimEpoch("b", 1, AbortSignal.timeout(1_000));
  await clock.advance(100);
  expect(a.changes).toEqual(["leading", "following"]);
});

test("two of one id do not take the epoch from each other again and again", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const twins = [stand(store, clock, "a"), stand(store, clock, "a", 0.9)];
  await clock.advance(20_000);
  expect(store.coordinator("observer").control().epoch.epoch).toBeLessThan(30);
  expect(twins.filter((twin) => epochOf(twin) !== undefined).length).toBeLessThan(2);
});

test("footing lasts from when the store was asked, for the confirmed epoch only (L3)", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const { leadership } = stand(store, clock, "a");
  await clock.advance(50);
  expect([leadership.hasFooting, leadership.isToBeConfirmed]).toEqual([true, false]);
  await clock.advance(FOOTING_MS - 100);
  expect([leadership.hasFooting, leadership.isToBeConfirmed]).toEqual([true, true]);
  await clock.advance(100);
  expect(leadership.hasFooting).toBe(false);
  leadership.confirmed(7, clock.monotonicMs());
  expect(leadership.hasFooting).toBe(false);
  leadership.confirmed(1, clock.monotonicMs() - FOOTING_MS + 1);
  expect(leadership.hasFooting).toBe(true);
  await clock.advance(1);
  expect(leadership.hasFooting).toBe(false);
});

test("while the store is away a claim is repeated at a calm pace, and told each time", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  store.disconnect("coordinator/a");
  const a = stand(store, clock, "a");
  await clock.advance(5_000);
  expect(a.changes).toEqual([]);
  expect(a.errors.length).toBeGreaterThan(5);
  expect(a.errors.length).toBeLessThan(15);
});

test("a leader that doubts its epoch replaces it, and leads on (L4)", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const a = stand(store, clock, "a");
  await clock.advance(1_000);
  const { state: before } = a.leadership;
  a.leadership.doubt(1);
  await clock.advance(1_000);
  expect(a.leadership.state).toMatchObject({ ...before, epoch: 2, confirmedAtMs: 1_000 });
  expect(a.changes).toEqual(["leading"]);
});

test("a leader that doubts an epoch which is over follows (L4)", async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const a = stand(store, clock, "a");
  await clock.advance(1_000);
  store.disconnect("coordinator/a");
  a.leadership.doubt(1);
  await clock.advance(1_000);
  expect(epochOf(a)).toBe(1);
  expect(a.errors).not.toEqual([]);
  await store.coordinator("b").claimEpoch("b", 1, new AbortController().signal);
  store.reconnect("coordinator/a");
  await clock.advance(100);
  expect(epochOf(a)).toBe(undefined);
});
