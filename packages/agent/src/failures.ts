/**
 * Steps that failed, and when each may be tried again. This is about the host and what it was told
 * to make; what an instance does once it runs is judged by its restart policy.
 */
import { DriverError } from "@evm/drivers";
import type { Clock, Instant } from "@evm/fleet";
import { errorText } from "@evm/telemetry";
import type { TaskKind } from "./tasks.ts";

/** Transient failures (a restarting daemon, a full disk) are retried after this, doubling */
const FIRST_RETRY_MS = 1_000;
/** up to this: often enough to heal soon, seldom enough not to add to the trouble. */
const MAX_RETRY_MS = 30_000;
/**
 * What fails for good (no such image, a failed build) is tried again after this, doubling too: the
 * cause may be mended outside of EVM. New orders for it bring a new incarnation, which begins at
 * once.
 */
const FIRST_FINAL_RETRY_MS = 60_000;
/** Each try may fetch a whole image only to find its digest wrong, or burn a CPU in a build. */
const MAX_FINAL_RETRY_MS = 600_000;
/** Spreads the retries of many instances that failed at once: ± this share. */
const JITTER = 0.2;

export type Failure = {
  readonly step: TaskKind;
  /** Consecutive failures of this step. */
  readonly count: number;
  readonly notedAt: Instant;
  readonly retryAt: Instant;
  readonly reason: string;
  /** False where trying again helps only once somebody mends the cause. */
  readonly isTransient: boolean;
};

export class Failures {
  readonly #clock: Pick<Clock, "now">;
  readonly #random: () => number;
  readonly #byKey = new Map<string, Failure>();

  constructor(clock: Pick<Clock, "now">, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  of(key: string): Failure | undefined {
    return this.#byKey.get(key);
  }

  /** Notes that a step failed. */
  note(key: string, step: TaskKind, error: unknown): Failure {
    const before = this.#byKey.get(key);
    const count = before?.step === step ? before.count + 1 : 1;
    const isTransient = error instanceof DriverError && error.isTransient;
    const [firstMs, maxMs] = isTransient
      ? [FIRST_RETRY_MS, MAX_RETRY_MS]
      : [FIRST_FINAL_RETRY_MS, MAX_FINAL_RETRY_MS];
    const delayMs = Math.min(firstMs * 2 ** (count - 1), maxMs);
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    const notedAt = this.#clock.now();
    const retryAt = notedAt + Math.round(delayMs * jitter);
    const failure = { step, count, notedAt, retryAt, reason: errorText(error), isTransient };
    this.#byKey.set(key, failure);
    return failure;
  }

  clear(key: string): void {
    this.#byKey.delete(key);
  }

  /** It is up: whatever kept it from that is over. */
  overcome(key: string): void {
    const step = this.#byKey.get(key)?.step;
    if (step === "prepare" || step === "start") this.clear(key);
  }

  /** Forgets every incarnation for which `isKnown` is false. */
  prune(isKnown: (key: string) => boolean): void {
    for (const key of this.#byKey.keys()) if (!isKnown(key)) this.#byKey.delete(key);
  }
}
