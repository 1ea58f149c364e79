import type { HostName } from "@evm/fleet";
import { createMemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { watchView } from "./watch.ts";

type Values = { [key: string]: { readonly count: number } };

function begin(first: Values) {
  const store = createMemoryStore();
  const operator = store.coordinator("operator");
  const clock = new ManualClock();
  const end = new AbortController();
  const state = { values: first };
  const seen: string[] = [];
  let writes = 0;
  const changes = watchView({
    store: store.coordinator("c1"),
    clock,
    signal: end.signal,
    view: () => new Map(Object.entries(state.values)),
  });
  const reading = (async () => {
    for await (const change of changes) {
      seen.push(change.kind === "synced" ? "synced" : `${change.kind} ${change.key}`);
    }
  })();
  return {
    store,
    reading,
    clock,
    seen,
    /** Changes what there is, and wakes as the store does after any write. */
    async change(values: Values) {
      state.values = values;
      writes += 1;
      const name = `h${writes}` as HostName;
      await operator.putHost(
        { name, admin: "active", confirmedLost: undefined },
        0,
        AbortSignal.timeout(1_000),
      );
    },
    async close() {
      end.abort();
      await reading;
    },
  };
}

test("everything there is comes first, then a mark, then what changes and what goes", async () => {
  const { clock, seen, change, close } = begin({ a: { count: 1 }, b: { count: 1 } });
  await clock.advance(0);
  expect(seen.splice(0)).toEqual(["is a", "is b", "synced"]);
  await change({ a: { count: 1 }, b: { count: 2 }, c: { count: 1 } });
  await clock.advance(100);
  expect(seen.splice(0)).toEqual(["is b", "is c"]);
  await change({ c: { count: 1 } });
  await clock.advance(100);
  expect(seen.splice(0)).toEqual(["gone a", "gone b"]);
  await close();
});

test("changes that come close together are sent as one, and none that undid itself", async () => {
  const { clock, seen, change, close } = begin({ a: { count: 1 } });
  await clock.advance(0);
  seen.length = 0;
  await change({ a: { count: 2 } });
  await clock.advance(10);
  await change({ a: { count: 1 }, b: { count: 1 } });
  await clock.advance(100);
  expect(seen).toEqual(["is b"]);
  await close();
});

test("what changes by the passing of time alone is seen too", async () => {
  const values = { a: { count: 1 } };
  const { clock, seen, close } = begin(values);
  await clock.advance(0);
  seen.length = 0;
  values.a = { count: 2 };
  await clock.advance(2_000);
  expect(seen).toEqual(["is a"]);
  await close();
});

test("a watch that is long cut off from the store breaks: its client moves on", async () => {
  const { store, reading, clock } = begin({ a: { count: 1 } });
  await clock.advance(0);
  store.disconnect("coordinator/c1");
  await clock.advance(2_000);
  store.reconnect("coordinator/c1");
  await clock.advance(5_000);
  store.disconnect("coordinator/c1");
  const broken = expect(reading).rejects.toMatchObject({ code: "unavailable" });
  await clock.advance(5_000);
  await broken;
});
