/** Turns wake-ups into what changed: the whole view is taken anew and compared with the last. */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import type { CoordinatorStore } from "@evm/store";
import { Wake } from "@evm/telemetry";

/** Changes that come closer together than this are sent as one. */
const GAP_MS = 50;
/** Views are taken at least this often: liveness changes by the passing of time alone. */
const LOOK_INTERVAL_MS = 1_000;
/** Cut off for so long, nothing would be seen here: the client is to watch another coordinator. */
const MAX_AWAY_MS = 3_000;

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
  const { store, clock, view } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const wake = new Wake();
  store.watch(() => wake.wake(), signal);
  try {
    let before = view();
    yield* changes(new Map(), before);
    yield { kind: "synced" };
    let connectedAtMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(GAP_MS, signal);
      await wake.wait(LOOK_INTERVAL_MS, clock, signal);
      const nowMs = clock.monotonicMs();
      if (store.isConnected) connectedAtMs = nowMs;
      else if (nowMs - connectedAtMs > MAX_AWAY_MS) {
        throw new RpcError("unavailable", "watch: this coordinator is cut off from its store");
      }
      const now = view();
      yield* changes(before, now);
      before = now;
    }
  } catch (error) {
    if (!options.signal.aborted) throw error;
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
