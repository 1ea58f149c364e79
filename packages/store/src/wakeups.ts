/** Who wants to be woken by changes. A wake-up carries no meaning (S4), so that many become one. */
import { StoreError } from "./store.ts";

export class Wakeups {
  readonly #wakes = new Set<() => void>();
  #isScheduled = false;

  /** Calls `wake` after changes until the signal fires. */
  add(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    // An own function for each call, so that the same `wake` may be added twice.
    const entry = () => wake();
    this.#wakes.add(entry);
    signal.addEventListener("abort", () => this.#wakes.delete(entry), { once: true });
  }

  /** Wakes everybody once the present turn has ended, however often it is called before. */
  wakeAll(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      for (const wake of [...this.#wakes]) wake();
    });
  }

  /** Resolves once `isTrue`, looking again at every wake-up; rejects when the signal fires. */
  async until(isTrue: () => boolean, doing: string, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal, doing);
    if (isTrue()) return;
    const over = new AbortController();
    try {
      await new Promise<void>((resolve, reject) => {
        this.add(() => {
          if (isTrue()) resolve();
        }, over.signal);
        signal.addEventListener("abort", () => reject(abortedError(signal, doing)), {
          signal: over.signal,
        });
      });
    } finally {
      over.abort();
    }
  }
}

/** The error for a wait that the caller gave up, or that reached its deadline. */
export function abortedError(signal: AbortSignal, doing: string): StoreError {
  const { reason } = signal;
  if (reason instanceof StoreError) {
    return new StoreError(reason.code, `${doing}: ${reason.message}`, { cause: reason });
  }
  const isDeadline = reason instanceof DOMException && reason.name === "TimeoutError";
  return isDeadline
    ? new StoreError("unavailable", `${doing}: no answer in time`, { cause: reason })
    : new StoreError("cancelled", `${doing}: cancelled`, { cause: reason });
}

export function throwIfAborted(signal: AbortSignal, doing: string): void {
  if (signal.aborted) throw abortedError(signal, doing);
}
