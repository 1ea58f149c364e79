/** The newest events, kept warm: lists and watches are answered from here. */
import type { StoredEvent } from "@evm/fleet";
import { type EventQuery, StoreError } from "./store.ts";
import { Wakeups } from "./wakeups.ts";

/** As many as a few busy days of a large pool leave behind; about 5 MB of memory. */
export const MAX_EVENTS = 10_000;

export class EventLog {
  readonly #events: StoredEvent[] = [];
  readonly #wakeups = new Wakeups();
  #lastSequence = 0;

  /** Sequence of the newest event that was ever added. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Events come in order; one that is already here is ignored. */
  add(stored: StoredEvent): void {
    if (stored.sequence <= this.#lastSequence) return;
    this.#events.push(stored);
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    this.#lastSequence = stored.sequence;
    this.#wakeups.wakeAll();
  }

  /** Resolves once the event of this sequence has been added. */
  async reached(sequence: number, signal: AbortSignal): Promise<void> {
    await this.#wakeups.until(() => this.#lastSequence >= sequence, "reading events", signal);
  }

  list(query: EventQuery): readonly StoredEvent[] {
    if (query.limit <= 0) return [];
    const { afterSequence, beforeSequence = Number.POSITIVE_INFINITY, limit } = query;
    return this.#after(afterSequence, query)
      .filter(({ sequence }) => sequence < beforeSequence)
      .slice(-limit);
  }

  async *watch(query: EventQuery, signal: AbortSignal): AsyncGenerator<StoredEvent> {
    let backlog = this.list({ ...query, beforeSequence: undefined });
    let seen = this.#lastSequence;
    for (;;) {
      for (const stored of backlog) {
        if (signal.aborted) return;
        yield stored;
      }
      await this.#wakeups
        .until(() => this.#lastSequence > seen, "watching events", signal)
        .catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
      if (signal.aborted) return;
      const oldest = this.#events[0]?.sequence ?? 0;
      if (this.#events.length === MAX_EVENTS && oldest > seen + 1) {
        const text = `watching events: fell more than ${MAX_EVENTS} events behind`;
        throw new StoreError("tooLarge", text);
      }
      backlog = this.#after(seen, query);
      seen = this.#lastSequence;
    }
  }

  #after(sequence: number, query: EventQuery): readonly StoredEvent[] {
    const isWanted = ({ event }: StoredEvent) =>
      (query.fleet === undefined || event.fleet === query.fleet) &&
      (query.instance === undefined || event.instance === query.instance) &&
      (query.host === undefined || event.host === query.host);
    return this.#events.filter((stored) => stored.sequence > sequence && isWanted(stored));
  }
}
