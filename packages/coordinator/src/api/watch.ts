/** Turns wake-ups into what changed: the whole view is taken anew and compared with the last. */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@evm/fleet";
import type { CoordinatorStore } from "@evm/store";
import { Wake } from "@evm/telemetry";

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
export async function* watchView<T>(options: WatchOptions<T>): AsyncGenerator<Change<T>> {
  const { store, clock, signal, view } = options;
  const wake = new Wake();
  store.watch(() => wake.wake(), signal);
  let before: ReadonlyMap<string, T> = new Map();
  let isFirst = true;
  while (!signal.aborted) {
    const now = view();
    yield* changes(before, now);
    if (isFirst) yield { kind: "synced" };
    isFirst = false;
    before = now;
    try {
      await clock.sleep(GAP_MS, signal);
      await wake.wait(LOOK_INTERVAL_MS, clock, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
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
