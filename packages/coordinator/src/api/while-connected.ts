import type { Clock } from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import type { CoordinatorStore } from "@evm/store";

const LOOK_INTERVAL_MS = 1_000;
/** Cut off for so long, nothing would be seen here: the client is to watch another coordinator. */
const MAX_AWAY_MS = 3_000;

export type Connection = {
  readonly store: Pick<CoordinatorStore, "isConnected">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/**
 * Yields what `open` does until it ends or `signal` fires.
 *
 * @throws RpcError unavailable where the store has been away for too long
 */
export async function* whileConnected<T>(
  connection: Connection,
  open: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const over = new AbortController();
  const either = AbortSignal.any([connection.signal, over.signal]);
  const watching = untilCutOff({ ...connection, signal: either }).then(
    () =>
      over.abort(new RpcError("unavailable", "watch: this coordinator is cut off from its store")),
    () => undefined,
  );
  try {
    yield* open(either);
    over.signal.throwIfAborted();
  } finally {
    over.abort();
    await watching;
  }
}

/** Rejects with the signal. */
async function untilCutOff({ store, clock, signal }: Connection): Promise<void> {
  let connectedAtMs = clock.monotonicMs();
  for (;;) {
    await clock.sleep(LOOK_INTERVAL_MS, signal);
    const nowMs = clock.monotonicMs();
    if (store.isConnected) connectedAtMs = nowMs;
    else if (nowMs - connectedAtMs > MAX_AWAY_MS) return;
  }
}
