/** Turns wake-ups into what changed: the whole view is taken anew and compared with the last. */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@evm/fleet";
import type { CoordinatorStore } from "@evm/store";
import { Wake } from "@evm/telemetry";
import { whileConnected } from "./while-connected.ts";

/** Changes that come closer together than this are sent as one. */
const GAP_MS = 50;
/** Views are taken at least this often: liveness changes by the passing of time alone. */
const LOOK_INTERVAL_MS = 1_000;

export type Change<T> =
  | { readonly kind: "is"; readonly key: string; readonly value: T }
  | { readonly kind: "gone"; readonly key: string; readonly value: T }
  /** Everything that existed at the start has been sent. */
  | { readonly kind: "synced" };

export type WatchOptions<T> = {
  readonly store: CoordinatorStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly view: () => ReadonlyMap<string, T>;
};

/** Everything there is, then every change, until the signal fires. */
export const watchView = <T>(options: WatchOptions<T>): AsyncGenerator<Change<T>> =>
  whileConnected(options, (signal) => watchUntil({ ...options, signal }));

async function* watchUntil<T>({
  store,
  clock,
  view,
  signal,
}: WatchOptions<T>): AsyncGenerator<Change<T>> {
  const over = new AbortController();
  const wake = new Wake();
  store.watch(() => wake.wake(), AbortSignal.any([signal, over.signal]));
  try {
    let before = view();
    yield* changes(new Map(), before);
    yield { kind: "synced" };
    for (;;) {
      await clock.sleep(GAP_MS, signal);
      await wake.wait(LOOK_INTERVAL_MS, clock, signal);
      const now = view();
      yield* changes(before, now);
      before = now;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
  }
}

function* changes<T>(
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
): Generator<Change<T>> {
  for (const [key, value] of now) {
    if (!isDeepStrictEqual(before.get(key), value)) yield { kind: "is", key, value };
  }
  for (const [key, value] of before) {
    if (!now.has(key)) yield { kind: "gone", key, value };
  }
}
