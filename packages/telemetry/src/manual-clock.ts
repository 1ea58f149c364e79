/** A clock that moves only when told: for tests and simulation. */
import type { Clock, Instant } from "@evm/fleet";

type Sleeper = { readonly at: number; readonly wake: () => void };

export class ManualClock implements Clock {
  readonly #epoch: Instant;
  #elapsedMs = 0;
  /** Sorted by when they are due; those due at once wake in the order in which they fell asleep. */
  readonly #sleepers: Sleeper[] = [];

  /** @param start what `now()` says at first, in milliseconds since 1970 */
  constructor(start: Instant = 1_800_000_000_000) {
    this.#epoch = start;
  }

  now(): Instant {
    return this.#epoch + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal.aborted) {
      reject(signal.reason);
      return promise;
    }
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = this.after(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
    return promise;
  }

  after(ms: number, act: () => void): () => void {
    const sleeper: Sleeper = { at: this.#elapsedMs + Math.max(0, ms), wake: act };
    this.#insert(sleeper);
    return () => this.#remove(sleeper);
  }

  /** Lets `ms` pass: wakes whoever is due, each at its moment, and lets it act before going on. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await settle();
    for (let next = this.#sleepers[0]; next !== undefined; next = this.#sleepers[0]) {
      if (next.at > end) break;
      this.#elapsedMs = next.at;
      this.#sleepers.shift();
      next.wake();
      await settle();
    }
    this.#elapsedMs = end;
  }

  #insert(sleeper: Sleeper): void {
    const later = this.#sleepers.findIndex((other) => other.at > sleeper.at);
    this.#sleepers.splice(later === -1 ? this.#sleepers.length : later, 0, sleeper);
  }

  #remove(sleeper: Sleeper): void {
    const at = this.#sleepers.indexOf(sleeper);
    if (at !== -1) this.#sleepers.splice(at, 1);
  }
}

/** Everything that follows from what just happened without any wait for time or I/O. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
