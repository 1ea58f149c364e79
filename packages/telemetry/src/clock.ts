import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "@evm/fleet";
import { onAbort } from "./on-abort.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

export type DeadlineOptions = {
  readonly clock: Clock;
  readonly ms: number;
  /** Ends the work early. */
  readonly signal: AbortSignal;
  /** What the work does, for the error when time runs out. */
  readonly doing: string;
};

/**
 * Runs `work` with a signal that fires when `options.signal` does or when the time is up; then the
 * work is expected to reject, and is waited for, so that nothing is left running unowned.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, ms, signal, doing } = options;
  const limit = new AbortController();
  const end = () => limit.abort(signal.reason);
  if (signal.aborted) end();
  const forget = onAbort(signal, end);
  const cancel = clock.after(ms, () =>
    limit.abort(new DOMException(`${doing}: no answer within ${ms} ms`, "TimeoutError")),
  );
  try {
    return await work(limit.signal);
  } finally {
    cancel();
    forget();
  }
}
