import type { EventRecord } from "@evm/fleet";
import { expect, test } from "vitest";
import { event } from "./contract/fixtures.ts";
import { EventOutbox, MAX_OUTBOX_EVENTS } from "./event-outbox.ts";
import { StoreError } from "./store.ts";

/** An outbox whose store takes what `appendEvent` lets it; ends itself once it has `expected`. */
async function deliver(
  events: readonly EventRecord[],
  expected: number,
  appendEvent: (event: EventRecord) => Promise<void>,
): Promise<readonly string[]> {
  const end = new AbortController();
  const stored: string[] = [];
  const outbox = new EventOutbox({
    store: {
      async appendEvent(it) {
        await appendEvent(it);
        stored.push(it.text);
        if (stored.length === expected) end.abort();
      },
    },
    droppedEvent: (count) => event(`${count} dropped`),
    pause: async () => {},
  });
  for (const it of events) outbox.add(it);
  await expect(outbox.run(end.signal)).rejects.toThrow();
  return stored;
}

test("events are appended in their order, and again where the store was away", async () => {
  let failures = 2;
  const stored = await deliver([event("a"), event("b")], 2, async () => {
    if (failures-- > 0) throw new StoreError("unavailable", "away");
  });
  expect(stored).toEqual(["a", "b"]);
});

test("a full outbox drops its oldest and says how many", async () => {
  const many = Array.from({ length: MAX_OUTBOX_EVENTS + 3 }, (_, index) => event(`${index}`));
  const stored = await deliver(many, MAX_OUTBOX_EVENTS + 1, async () => {});
  expect(stored.slice(0, 2)).toEqual(["3 dropped", "3"]);
});

test("a store that refuses everything is asked at the pace of the pauses", async () => {
  const end = new AbortController();
  let [attempts, pauses] = [0, 0];
  const outbox = new EventOutbox({
    store: {
      async appendEvent() {
        attempts += 1;
        throw new StoreError("unsuitable", "not allowed");
      },
    },
    droppedEvent: (count) => event(`${count} dropped`),
    pause: async () => {
      pauses += 1;
      if (pauses === 5) end.abort();
    },
  });
  outbox.add(event("a"));
  await expect(outbox.run(end.signal)).rejects.toThrow();
  expect(attempts).toBe(5);
});

test("an event that is refused for good holds up no other", async () => {
  const stored = await deliver([event("bad"), event("good")], 2, async (it) => {
    if (it.text === "bad") throw new StoreError("tooLarge", "too large");
  });
  expect(stored).toEqual(["1 dropped", "good"]);
});
