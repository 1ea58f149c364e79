/**
 * A store that may be away when the agent starts: every call fails as unavailable until the first
 * connection stands, so that a host that boots before its NATS servers keeps its instances alive.
 * Once connected, the connection itself reconnects.
 */
import type {
  Clock,
  Digest,
  EventRecord,
  Heartbeat,
  HostName,
  LeaseGrant,
  Orders,
  Report,
} from "@evm/fleet";
import { type HostStore, type HostVerb, StoreError, type VerbHandler } from "@evm/store";
import { type Log, untilAborted } from "@evm/telemetry";

/** Between two attempts to connect, each of which itself takes some seconds. */
const RETRY_MS = 1_000;

export type PatientStoreOptions = {
  readonly host: HostName;
  readonly connect: (signal: AbortSignal) => Promise<HostStore>;
  readonly clock: Clock;
  readonly log: Log;
};

export class PatientStore implements HostStore {
  readonly host: HostName;
  readonly #options: PatientStoreOptions;
  /** What is to be asked of the store as soon as there is one. */
  readonly #pending: ((store: HostStore) => void)[] = [];
  #store: HostStore | undefined;

  constructor(options: PatientStoreOptions) {
    this.host = options.host;
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#store?.isConnected ?? false;
  }

  /** Connects, and holds the connection until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const store = await this.#connect(signal);
    this.#store = store;
    this.#options.log.info("connected to the store");
    for (const ask of this.#pending.splice(0)) ask(store);
    await untilAborted(signal);
  }

  async #connect(signal: AbortSignal): Promise<HostStore> {
    const { connect, clock, log } = this.#options;
    let told: string | undefined;
    for (;;) {
      try {
        return await connect(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof StoreError)) throw error;
        if (error.message !== told) log.warn("the store is away; going on without it", { error });
        told = error.message;
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  watchOrders(wake: () => void, signal: AbortSignal): void {
    this.#whenConnected((store) => {
      store.watchOrders(wake, signal);
      wake();
    });
  }

  onReconnect(wake: () => void, signal: AbortSignal): void {
    this.#whenConnected((store) => store.onReconnect(wake, signal));
  }

  serveVerb(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    this.#whenConnected((store) => store.serveVerb(verb, handler, signal));
  }

  async readOrders(signal: AbortSignal): Promise<Orders | undefined> {
    return this.#reach("reading orders").readOrders(signal);
  }

  async putReport(report: Report, signal: AbortSignal): Promise<void> {
    return this.#reach("writing the report").putReport(report, signal);
  }

  async heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<LeaseGrant | undefined> {
    return this.#reach("sending a heartbeat").heartbeat(heartbeat, signal);
  }

  async appendEvent(event: EventRecord, signal: AbortSignal): Promise<void> {
    return this.#reach("writing an event").appendEvent(event, signal);
  }

  async putBlob(
    digest: Digest,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#reach(`writing ${digest}`).putBlob(digest, content, signal);
  }

  async getBlob(
    digest: Digest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#reach(`reading ${digest}`).getBlob(digest, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.[Symbol.asyncDispose]();
  }

  #whenConnected(ask: (store: HostStore) => void): void {
    if (this.#store === undefined) this.#pending.push(ask);
    else ask(this.#store);
  }

  #reach(doing: string): HostStore {
    if (this.#store !== undefined) return this.#store;
    throw new StoreError("unavailable", `${doing}: not connected to the store yet`);
  }
}
