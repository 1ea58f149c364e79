/** What happened on this host, told to people. */
import type { Clock, EventRecord, HostName, Observed } from "@evm/fleet";
import { EventOutbox, type HostStore } from "@evm/store";
import type { AgentMetrics } from "./metrics.ts";

/** Before an append that failed is tried again; a change of JetStream's leader takes seconds. */
const RETRY_MS = 2_000;

export type AgentEvent = Pick<EventRecord, "severity" | "reason" | "text"> & {
  /** Absent where it is about the whole host. */
  readonly instance?: Pick<Observed, "name" | "fleet">;
};

export type EventLogOptions = {
  readonly store: Pick<HostStore, "host" | "appendEvent">;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
};

export class EventLog {
  readonly #host: HostName;
  readonly #clock: Clock;
  readonly #metrics: AgentMetrics;
  readonly #outbox: EventOutbox;

  constructor({ store, clock, metrics }: EventLogOptions) {
    this.#host = store.host;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#outbox = new EventOutbox({
      store,
      droppedEvent: (count) => this.#dropped(count),
      pause: (signal) => clock.sleep(RETRY_MS, signal),
    });
  }

  /** Never fails and never waits. */
  append(event: AgentEvent): void {
    this.#outbox.add(this.#record(event));
  }

  /** Writes what is appended until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#outbox.run(signal);
  }

  #dropped(count: number): EventRecord {
    this.#metrics.eventsDropped.inc(count);
    const text = `${count} older events were dropped while the store was away`;
    return this.#record({ severity: "warning", reason: "EventsDropped", text });
  }

  #record({ severity, reason, text, instance }: AgentEvent): EventRecord {
    const host = this.#host;
    const about = { fleet: instance?.fleet, instance: instance?.name, host };
    return { at: this.#clock.now(), source: `host/${host}`, severity, reason, ...about, text };
  }
}
