/**
 * One life of a program: from its start until it is killed. Everything that reaches a program from
 * outside (time, answers, messages) comes through here, so that a frozen one hears nothing until
 * it thaws, and a killed one does and hears nothing any more, as after SIGSTOP and `kill -9`.
 */
import type { Clock } from "@evm/fleet";
import { onAbort } from "@evm/telemetry";
import type { Timeline } from "./timeline.ts";

/** What a clock says at the beginning of the world: milliseconds since 1970. */
export const EPOCH_MS = 1_800_000_000_000;

/** The clocks of a machine. */
export type Machine = {
  /** How fast they run; 1 is true time. Read when a program starts. */
  readonly clockRate: number;
  /** By how much the wall clock was set forward or back; the monotonic one never is. */
  readonly wallOffsetMs: number;
};

export class SimulatedProcess {
  readonly clock: Clock;
  readonly #end = new AbortController();
  readonly #held: (() => void)[] = [];
  #isKilled = false;
  #isFrozen = false;
  #losesMessages = false;

  constructor(timeline: Timeline, machine: Machine) {
    const { clockRate } = machine;
    const monotonicMs = () => timeline.lookedAtMs() * clockRate;
    const after = (ms: number, act: () => void) =>
      timeline.timer(ms / clockRate, () => this.deliver(act));
    this.clock = {
      monotonicMs,
      now: () => EPOCH_MS + Math.floor(monotonicMs()) + machine.wallOffsetMs,
      after,
      sleep: (ms, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        if (signal.aborted) {
          reject(signal.reason);
          return promise;
        }
        const forget = onAbort(signal, () => {
          cancel();
          reject(signal.reason);
        });
        const cancel = after(ms, () => {
          forget();
          resolve();
        });
        return promise;
      },
    };
  }

  /** Fires when it is killed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Lets it hear of something now, or when it thaws; never once it was killed. */
  deliver(act: () => void): void {
    if (this.#isKilled) return;
    if (this.#isFrozen) this.#held.push(act);
    else act();
  }

  /** Waits for an answer from this machine; hears it only while it is not frozen. */
  hear<T>(answer: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const forget = onAbort(this.signal, () => reject(this.signal.reason));
    const settle = (act: () => void) => {
      forget();
      this.deliver(act);
    };
    answer.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    return promise;
  }

  /** Hears a message from outside; what comes while it is frozen may be gone when it thaws. */
  receive(act: () => void): void {
    if (!this.#isFrozen || !this.#losesMessages) this.deliver(act);
  }

  /** @param losesMessages whether the other side gives up on somebody who does not read */
  freeze(losesMessages: boolean): void {
    this.#isFrozen = true;
    this.#losesMessages = losesMessages;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const act of this.#held.splice(0)) act();
  }

  kill(): void {
    this.#isKilled = true;
    this.#isFrozen = false;
    this.#held.length = 0;
    this.#end.abort(new DOMException("the process was killed", "AbortError"));
  }
}
