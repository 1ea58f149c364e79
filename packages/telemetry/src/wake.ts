import type { Clock } from "@evm/fleet";
import { onAbort } from "./on-abort.ts";

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
   * @param restMs not sooner than after this, however often it is woken
   * @returns true where it was woken
   */
  async wait(ms: number, clock: Clock, signal: AbortSignal, restMs = 0): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#isDue && restMs <= 0) return this.#take();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const forget = onAbort(signal, () => reject(signal.reason));
    const restedAtMs = clock.monotonicMs() + restMs;
    let cancel = clock.after(this.#isDue ? restMs : Math.max(ms, restMs), resolve);
    this.#onWake = () => {
      this.#onWake = undefined;
      cancel();
      const leftMs = restedAtMs - clock.monotonicMs();
      if (leftMs <= 0) resolve();
      else cancel = clock.after(leftMs, resolve);
    };
    try {
      await promise;
    } finally {
      this.#onWake = undefined;
      cancel();
      forget();
    }
    return this.#take();
  }

  #take(): boolean {
    const isDue = this.#isDue;
    this.#isDue = false;
    return isDue;
  }
}
