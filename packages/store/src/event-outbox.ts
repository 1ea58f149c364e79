/**
 * Events on their way to the store: appended in order, kept while it is away, bounded. Events are
 * for people, so no work ever waits for them. A full outbox drops its oldest, and an event that the
 * store refuses for good is dropped too; the next one says how many were.
 */
import type { EventRecord } from "@evm/fleet";
import { type StoreConnection, StoreError } from "./store.ts";

/** Some minutes of a busy host; above it the oldest go. About 300 bytes each. */
export const MAX_OUTBOX_EVENTS = 2_000;

export type EventOutboxOptions = {
  readonly store: Pick<StoreConnection, "appendEvent">;
  /** Makes the event that says how many were dropped. */
  readonly droppedEvent: (count: number) => EventRecord;
  /** Waits after an append that failed. */
  readonly pause: (signal: AbortSignal) => Promise<void>;
};

export class EventOutbox {
  readonly #options: EventOutboxOptions;
  readonly #queue: EventRecord[] = [];
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor(options: EventOutboxOptions) {
    this.#options = options;
  }

  /** How many wait to be appended. */
  get length(): number {
    return this.#queue.length;
  }

  /** Queues an event; never waits, never fails. */
  add(event: EventRecord): void {
    if (this.#queue.length >= MAX_OUTBOX_EVENTS) {
      this.#queue.shift();
      this.#dropped += 1;
    }
    this.#queue.push(event);
    this.#wake?.();
  }

  /** Appends what is queued until the signal fires, then rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) {
      signal.throwIfAborted();
      const next = this.#next();
      if (next === undefined) await this.#filled(signal);
      else await this.#append(next, signal);
    }
  }

  #next(): EventRecord | undefined {
    if (this.#dropped === 0) return this.#queue[0];
    const event = this.#options.droppedEvent(this.#dropped);
    this.#dropped = 0;
    this.#queue.unshift(event);
    return event;
  }

  async #append(event: EventRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.store.appendEvent(event, signal);
    } catch (error) {
      const isRefused = !(error instanceof StoreError && error.isTransient);
      if (isRefused && this.#queue[0] === event) {
        this.#queue.shift();
        this.#dropped += 1;
      }
      // After a refusal too: what refuses everything would be asked without end.
      return this.#options.pause(signal);
    }
    if (this.#queue[0] === event) this.#queue.shift();
  }

  #filled(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#wake = () => {
      this.#wake = undefined;
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    return promise;
  }
}
