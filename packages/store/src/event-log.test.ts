import { expect, test } from "vitest";
import { event, query, soon } from "./contract/fixtures.ts";
import { EventLog, MAX_EVENTS } from "./event-log.ts";

const stored = (sequence: number) => ({ sequence, event: event(String(sequence)) });

test("only the newest events are kept", () => {
  const log = new EventLog();
  for (let sequence = 1; sequence <= MAX_EVENTS + 5; sequence++) log.add(stored(sequence));
  const all = log.list(query({ limit: MAX_EVENTS * 2 }));
  expect(all).toHaveLength(MAX_EVENTS);
  expect(all[0]?.sequence).toBe(6);
});

test("an event that comes again is ignored", () => {
  const log = new EventLog();
  for (const sequence of [1, 2, 1, 2, 3]) log.add(stored(sequence));
  expect(log.list(query()).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
});

test("a watcher that falls behind more than is kept learns that it missed events", async () => {
  const log = new EventLog();
  log.add(stored(1));
  const watch = log.watch(query(), soon());
  expect(await watch.next()).toMatchObject({ value: stored(1) });
  for (let sequence = 2; sequence <= MAX_EVENTS + 5; sequence++) log.add(stored(sequence));
  await expect(watch.next()).rejects.toMatchObject({ code: "tooLarge" });
});
