/** Time as a parameter: the real clock in production, a simulated one in tests. */
import { setTimeout as delay } from "node:timers/promises";
import type { Instant } from "@evm/fleet";

export interface Clock {
  now(): Instant;
  /** Resolves after `ms`; rejects as soon as the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
