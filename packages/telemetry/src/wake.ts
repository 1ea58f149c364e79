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
    if (!this.#isDue) {
      const woken = new AbortController();
      this.#onWake = () => woken.abort();
      try {
        await clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
      } catch (error) {
        if (!woken.signal.aborted) throw error;
      } finally {
        this.#onWake = undefined;
      }
    }
    const wasWoken = this.#isDue;
    this.#isDue = false;
    return wasWoken;
  }
}
