/** Streams that outlive the coordinator that they come from. */
import { setTimeout as sleep } from "node:timers/promises";
import { RpcError } from "@evm/protocol";

/** Before a stream that broke is opened again: coordinators take seconds to take over. */
const REOPEN_GAP_MS = 500;

export type Reopening<T> = {
  /** Opens it, the next time with what has come since in mind. */
  readonly open: () => AsyncIterable<T>;
  /** Told of what broke it. */
  readonly onBreak: (error: RpcError) => void;
  readonly signal: AbortSignal;
  /** Whether an end without an error is the end; otherwise it is opened again then too. */
  readonly endsByItself?: boolean;
};

/** A stream that is opened again whenever it breaks, until the signal fires. */
export async function* reopened<T>(reopening: Reopening<T>): AsyncGenerator<T> {
  const { open, onBreak, signal, endsByItself = false } = reopening;
  for (;;) {
    try {
      yield* open();
      if (endsByItself) return;
    } catch (error) {
      if (signal.aborted || !(error instanceof RpcError && error.isTransient)) throw error;
      onBreak(error);
    }
    await sleep(REOPEN_GAP_MS, undefined, { signal });
  }
}
