/** Time as a parameter: the machine's own in production, a simulated one elsewhere. */
import type { Instant } from "./report.ts";

export interface Clock {
  now(): Instant;
  /** Milliseconds since an arbitrary moment; never goes back, even where the wall clock does. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects as soon as the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `act` after `ms`, unless what it returns is called before. */
  after(ms: number, act: () => void): () => void;
}
