import { createMemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { whileConnected } from "./while-connected.ts";

function begin() {
  const memory = createMemoryStore();
  const store = memory.coordinator("c1");
  const clock = new ManualClock();
  const end = new AbortController();
  const query = { fleet: undefined, instance: undefined, host: undefined };
  const events = whileConnected({ store, clock, signal: end.signal }, (signal) =>
    store.watchEvents({ ...query, afterSequence: 0, beforeSequence: undefined, limit: 1 }, signal),
  );
  const reading = (async () => {
    for await (const { event } of events) throw new Error(`nobody told of "${event.text}"`);
  })();
  return { memory, clock, end, reading };
}

test("a watch of events at a coordinator that is long cut off breaks", async () => {
  const { memory, clock, reading } = begin();
  await clock.advance(0);
  memory.disconnect("coordinator/c1");
  await clock.advance(2_000);
  memory.reconnect("coordinator/c1");
  await clock.advance(5_000);
  memory.disconnect("coordinator/c1");
  const broken = expect(reading).rejects.toMatchObject({ code: "unavailable" });
  await clock.advance(5_000);
  await broken;
});

test("a watch that its client ends is no failure", async () => {
  const { clock, end, reading } = begin();
  await clock.advance(0);
  end.abort();
  await reading;
});
