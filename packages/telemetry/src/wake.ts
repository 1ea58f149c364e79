import type { Clock } from "@evm/fleet";

/**
 * A level-triggered wake-up for one loop: any number of calls of `wake` while the loop is busy make
 * it go round once more, none is lost.
 */
export class Wake {
  #isDue = false;
  #onWake: (() => void) | undefined;

  wake(): void {
    this.#isDue = true;
    this.#onWake?.();
  }

  /**
   * Resolves when woken since the last wait, at the latest after `ms`; rejects with the signal.
   *
   * @returns true where it was woken
   */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#isDue) await this.#wakeOrTime(ms, clock, signal);
    const wasWoken = this.#isDue;
    this.#isDue = false;
    return wasWoken;
  }

  async #wakeOrTime(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = clock.after(ms, resolve);
    this.#onWake = resolve;
    try {
      await promise;
    } finally {
      this.#onWake = undefined;
      cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }
}
