/** The machine's own clock, for tests against real daemons; programs bring their own. */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "@evm/fleet";

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
