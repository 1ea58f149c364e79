/**
 * One life of a program: from its start until it is killed. Everything that reaches a program from
 * outside (time, answers, messages) comes through here, so that a frozen one hears nothing until
 * it thaws, and a killed one does and hears nothing any more, as after SIGSTOP and `kill -9`.
 */
import type { Clock } from "@evm/fleet";
import type { Timeline } from "./timeline.ts";

/** What a clock says at the beginning of the world: milliseconds since 1970. */
const EPOCH_MS = 1_800_000_000_000;

export type ProcessOptions = {
  readonly timeline: Timeline;
  /** How fast its machine's clock runs; 1 is true time. */
  readonly clockRate: number;
};

export class SimulatedProcess {
  readonly clock: Clock;
  readonly #end = new AbortController();
  readonly #held: (() => void)[] = [];
  #isFrozen = false;

  constructor({ timeline, clockRate }: ProcessOptions) {
    const monotonicMs = () => timeline.nowMs * clockRate;
    this.clock = {
      monotonicMs,
      now: () => EPOCH_MS + Math.floor(monotonicMs()),
      sleep: (ms, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        if (signal.aborted) {
          reject(signal.reason);
          return promise;
        }
        const onAbort = () => {
          due.cancel();
          reject(signal.reason);
        };
        const wake = () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
        const due = timeline.after(ms / clockRate, () => this.deliver(wake));
        signal.addEventListener("abort", onAbort, { once: true });
        return promise;
      },
    };
  }

  /** Fires when it is killed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Lets it hear of something now, or when it thaws; never once it was killed. */
  deliver(act: () => void): void {
    if (this.#end.signal.aborted) return;
    if (this.#isFrozen) this.#held.push(act);
    else act();
  }

  /** Waits for an answer from this machine; hears it only while it is not frozen. */
  hear<T>(answer: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onKill = () => reject(this.signal.reason);
    const settle = (act: () => void) => {
      this.signal.removeEventListener("abort", onKill);
      this.deliver(act);
    };
    this.signal.addEventListener("abort", onKill, { once: true });
    answer.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    return promise;
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const act of this.#held.splice(0)) act();
  }

  kill(): void {
    this.#isFrozen = false;
    this.#held.length = 0;
    this.#end.abort(new DOMException("the process was killed", "AbortError"));
  }
}
