/** The store as one program reaches it: the store in memory, behind the simulated network. */
import type { Digest, EventRecord } from "@evm/fleet";
import { type StoreConnection, StoreError } from "@evm/store";
import { type Endpoint, type Network, STORE } from "./network.ts";

/** What NATS waits for an answer before it tells the caller that there is none. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** What is done at the store goes on, whatever becomes of who asked for it. */
export const NEVER = new AbortController().signal;

export type LinkOptions<Server> = {
  readonly endpoint: Endpoint;
  readonly network: Network;
  /** The store itself. */
  readonly server: Server;
};

export class Link<Server extends StoreConnection> implements StoreConnection {
  protected readonly endpoint: Endpoint;
  protected readonly network: Network;
  protected readonly server: Server;

  constructor({ endpoint, network, server }: LinkOptions<Server>) {
    this.endpoint = endpoint;
    this.network = network;
    this.server = server;
  }

  get isConnected(): boolean {
    return this.network.reachesStore(this.endpoint.name);
  }

  appendEvent(event: EventRecord, signal: AbortSignal): Promise<void> {
    return this.request("appending an event", signal, () => this.server.appendEvent(event, NEVER));
  }

  putBlob(digest: Digest, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    return this.server.putBlob(digest, content, signal);
  }

  getBlob(digest: Digest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.server.getBlob(digest, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  /** Asks the store to do something; it may be done although nobody hears of it. */
  protected request<T>(doing: string, signal: AbortSignal, effect: () => Promise<T>): Promise<T> {
    const { network, endpoint } = this;
    const { process, name } = endpoint;
    return this.wait(doing, signal, REQUEST_TIMEOUT_MS, (settle) => {
      const reply = (act: () => void) => {
        if (network.random.chance(network.conditions.answerLossRate)) return;
        network.send(STORE, name, 0, () => process.receive(act));
      };
      const storeMs = network.random.between(0, network.conditions.maxStoreMs);
      network.send(name, STORE, storeMs, () => {
        if (!network.isStoreThere) return;
        effect().then(
          (value) => reply(() => settle.resolve(value)),
          (error: unknown) => reply(() => settle.reject(error)),
        );
      });
    });
  }

  /** Waits for what `begin` starts; fails when the time is up or the signal fires. */
  protected wait<T>(
    doing: string,
    signal: AbortSignal,
    timeoutMs: number,
    begin: (settle: {
      readonly resolve: (value: T) => void;
      readonly reject: (error: unknown) => void;
    }) => void,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onAbort = () => {
      const options = { cause: signal.reason };
      reject(new StoreError("cancelled", `${doing}: cancelled`, options));
    };
    if (signal.aborted || this.endpoint.process.signal.aborted) {
      onAbort();
      return promise;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = this.endpoint.process.clock.after(timeoutMs, () =>
      reject(new StoreError("unavailable", `${doing}: no answer in time`)),
    );
    begin({ resolve, reject });
    return promise.finally(() => {
      cancel();
      signal.removeEventListener("abort", onAbort);
    });
  }
}
