import type { Caller, CallOptions } from "./caller.ts";
import { aborted, hasCode, LibvirtError } from "./error.ts";
import {
  domainEventProcedures,
  LIFECYCLE_EVENT_ID,
  LIFECYCLE_MESSAGE,
  type LifecycleEvent,
  readLifecycleMessage,
} from "./procedures/domain-event.ts";
import type { DomainRef } from "./structs.ts";
import type { XdrReader } from "./xdr-reader.ts";

/**
 * Events that may wait for a reader: several for each domain of a large host that starts at once.
 * A reader that falls further behind is told, and lists the domains again.
 */
export const EVENT_LIMIT = 16_384;

export interface WatchOptions extends CallOptions {
  /** Only this domain's events. Default: those of all domains. */
  readonly domain?: DomainRef | undefined;
}

/**
 * A running registration for lifecycle events. Iterate over it (one reader); the iteration throws
 * when the signal aborts, the connection ends, or more than EVENT_LIMIT events were not read.
 * Dispose of it to end the registration.
 */
export class LifecycleWatch implements AsyncIterable<LifecycleEvent>, AsyncDisposable {
  readonly #signal: AbortSignal | undefined;
  readonly #deregister: () => Promise<void>;
  readonly #events: LifecycleEvent[] = [];
  #error: LibvirtError | undefined;
  #reader: PromiseWithResolvers<void> | undefined;

  constructor(signal: AbortSignal | undefined, deregister: () => Promise<void>) {
    this.#signal = signal;
    this.#deregister = deregister;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LifecycleEvent, void, undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event) {
        yield event;
        continue;
      }
      if (this.#error) throw this.#error;
      this.#reader ??= Promise.withResolvers<void>();
      await this.#reader.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new LibvirtError("aborted", "watching domains: the watch was ended"));
    await this.#deregister();
  }

  /** For the connection: an event arrived. */
  push(event: LifecycleEvent): void {
    if (this.#error) return;
    if (this.#events.length >= EVENT_LIMIT) {
      const problem = `${EVENT_LIMIT} events were not read`;
      this.fail(new LibvirtError("overloaded", `watching domains: ${problem}`));
      return;
    }
    this.#events.push(event);
    this.#wake();
  }

  /** For the connection: there will be no more events. */
  fail(error: LibvirtError): void {
    this.#error ??= error;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#wake();
  }

  readonly #onAbort = (): void => {
    if (this.#signal) this.fail(aborted("watching domains", this.#signal));
  };

  #wake(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }
}

/** The registrations of one connection. */
export class LifecycleEvents {
  readonly #watches = new Map<number, LifecycleWatch>();

  /**
   * Registers for events. Every change after the promise resolves is delivered, so list the
   * domains then, not before.
   */
  async watch(caller: Caller, options: WatchOptions): Promise<LifecycleWatch> {
    const { register, deregister } = domainEventProcedures;
    const { signal, timeoutMs } = options;
    if (signal?.aborted) throw aborted("watching domains", signal);
    const start = (callbackId: number): LifecycleWatch => {
      const watch = new LifecycleWatch(signal, async () => {
        // Already gone, by an earlier dispose or with the connection.
        if (!this.#watches.delete(callbackId)) return;
        try {
          await caller.call(deregister, callbackId, { timeoutMs });
        } catch (error) {
          if (!hasCode(error, "connection-lost", "connection-closed")) throw error;
        }
      });
      this.#watches.set(callbackId, watch);
      return watch;
    };
    // The watch begins while the reply is read: an event may follow it in the same packet. The
    // signal is not passed on, for a reply that nobody takes would leave a registration behind.
    return caller.call(
      { ...register, decode: (reader) => start(register.decode(reader)) },
      { eventId: LIFECYCLE_EVENT_ID, domain: options.domain },
      { timeoutMs },
    );
  }

  /** Hands a message of the daemon to its watch. Other messages have no reader. */
  receive(procedure: number, reader: XdrReader): void {
    if (procedure !== LIFECYCLE_MESSAGE) return;
    const { callbackId, event } = readLifecycleMessage(reader);
    this.#watches.get(callbackId)?.push(event);
  }

  end(error: LibvirtError): void {
    for (const watch of this.#watches.values()) watch.fail(error);
    this.#watches.clear();
  }
}
