/**
 * One connection to NATS: reconnects for ever, knows whether it is connected, bounds every request
 * by a deadline and its caller's signal.
 */
import { setTimeout } from "node:timers/promises";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { StoreError } from "../store.ts";
import { abortedError, throwIfAborted, Wakeups } from "../wakeups.ts";
import { isNoResponders, toStoreError } from "./errors.ts";

/**
 * Longer than a healthy cluster ever takes, shorter than the 4 to 8 s of a new stream leader's
 * election: who waits for that tries again, with newer knowledge.
 */
export const REQUEST_DEADLINE_MS = 5_000;

/** For servers that start at the same time as we do. */
const CONNECT_DEADLINE_MS = 30_000;
const CONNECT_ATTEMPT_MS = 2_000;
const CONNECT_PAUSE_MS = 250;

/** Between attempts to reconnect, plus up to as much again, so that not all come at once. */
const RECONNECT_PAUSE_MS = 250;

/** A peer that vanished without a word is noticed after three of these. */
const PING_INTERVAL_MS = 2_000;
const MAX_PINGS_OUT = 2;

/** While a stream has no leader nobody answers to it: asked again this soon, until the deadline. */
const NO_RESPONDERS_PAUSE_MS = 100;

/** Servers drop what is asked of a stream or a cluster without a leader: asked again this soon. */
const ASK_AGAIN_MS = 500;

/** For the last words at the end; who does not hear them hears silence. */
const FLUSH_DEADLINE_MS = 500;

export type LinkOptions = {
  /** `host:port` or `nats://host:port` of one or more servers of the cluster. */
  readonly servers: readonly string[];
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** For replies to this connection: what a server's permissions can allow it alone. */
  readonly inboxPrefix: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Hears what goes wrong outside of any call: permissions that the server refuses. */
  readonly onError: (error: StoreError) => void;
};

export class Link implements AsyncDisposable {
  readonly nats: NatsConnection;
  readonly #reconnects = new Wakeups();
  readonly #closed = new AbortController();
  /** Fires when the present connection is lost; a new one with every reconnect. */
  #connection = new AbortController();

  private constructor(nats: NatsConnection, onError: (error: StoreError) => void) {
    this.nats = nats;
    void this.#followStatus(onError);
  }

  /** Connects, trying again until a deadline or the signal ends it. */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<Link> {
    const doing = `connecting to NATS at ${options.servers.join(", ")}`;
    throwIfAborted(signal, doing);
    const within = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_DEADLINE_MS)]);
    for (;;) {
      try {
        return new Link(await dial(options), options.onError);
      } catch (cause) {
        const failure = toStoreError(doing, cause);
        if (!failure.isTransient) throw failure;
        await setTimeout(CONNECT_PAUSE_MS, undefined, { signal: within }).catch(() => {
          const { code } = abortedError(within, doing);
          throw new StoreError(code, failure.message, { cause: failure.cause });
        });
      }
    }
  }

  get isConnected(): boolean {
    return !this.#connection.signal.aborted && !this.nats.isClosed();
  }

  /** Fires when the connection is given up for good. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Calls `wake` after every reconnect until the signal fires. */
  onReconnect(wake: () => void, signal: AbortSignal): void {
    this.#reconnects.add(wake, signal);
  }

  /**
   * Asks and waits for one answer.
   *
   * @throws StoreError unavailable where none comes; what it was to do may have been done
   */
  async request(
    doing: string,
    subject: string,
    payload: Uint8Array,
    signal: AbortSignal,
    options: { readonly headers?: MsgHdrs; readonly deadlineMs?: number } = {},
  ): Promise<Msg> {
    this.ensureConnected(doing, signal);
    const { headers, deadlineMs = REQUEST_DEADLINE_MS } = options;
    return this.bounded(doing, signal, () =>
      this.nats.request(subject, payload, { timeout: deadlineMs, ...(headers && { headers }) }),
    );
  }

  /** As `request`, for a stream: waits within the deadline for one without a leader. */
  async requestOfStream(
    doing: string,
    subject: string,
    payload: Uint8Array,
    signal: AbortSignal,
    headers?: MsgHdrs,
  ): Promise<Msg> {
    const deadline = AbortSignal.timeout(REQUEST_DEADLINE_MS);
    for (;;) {
      try {
        return await this.request(doing, subject, payload, signal, headers ? { headers } : {});
      } catch (error) {
        const isLeaderless = error instanceof StoreError && isNoResponders(error.cause);
        if (!isLeaderless || deadline.aborted) throw error;
        await setTimeout(NO_RESPONDERS_PAUSE_MS, undefined, { signal }).catch(() => {
          throw abortedError(signal, doing);
        });
      }
    }
  }

  /**
   * Asks JetStream's API what changes nothing, so that it may be asked again while it is not
   * answered. An answer to any of these counts: a slow server is no reason to begin anew.
   *
   * @throws StoreError unavailable where none comes
   */
  async ask<Result>(
    doing: string,
    signal: AbortSignal,
    question: (manager: JetStreamManager) => Promise<Result>,
  ): Promise<Result> {
    this.ensureConnected(doing, signal);
    const manager = await jetstreamManager(this.nats, {
      timeout: REQUEST_DEADLINE_MS,
      checkAPI: false,
    });
    const answer = Promise.withResolvers<Result>();
    const ask = () => void question(manager).then(answer.resolve, answer.reject);
    const asking = setInterval(ask, ASK_AGAIN_MS);
    try {
      return await this.bounded(doing, signal, () => {
        ask();
        return answer.promise;
      });
    } finally {
      clearInterval(asking);
    }
  }

  /**
   * Awaits a call of nats.js, that has its own deadline, for as long as the signal allows and the
   * connection lasts: an answer to a connection that is gone never comes.
   */
  async bounded<Result>(
    doing: string,
    signal: AbortSignal,
    call: () => Promise<Result>,
  ): Promise<Result> {
    throwIfAborted(signal, doing);
    const over = AbortSignal.any([signal, this.#connection.signal]);
    const settled = new AbortController();
    const aborted = new Promise<never>((_, reject) => {
      const giveUp = () => reject(abortedError(over, doing));
      over.addEventListener("abort", giveUp, { once: true, signal: settled.signal });
    });
    try {
      return await Promise.race([call(), aborted]);
    } catch (error) {
      throw toStoreError(doing, error);
    } finally {
      settled.abort();
    }
  }

  /** Calls `receive` for every message to the subject until the signal fires or the link closes. */
  subscribe(subject: string, receive: (message: Msg) => void, signal: AbortSignal): void {
    if (signal.aborted || this.nats.isClosed()) return;
    const subscription = this.nats.subscribe(subject, {
      callback: (error, message) => {
        // A subscription that the server refuses is heard of by `onError`.
        if (error === null) receive(message);
      },
    });
    signal.addEventListener("abort", () => subscription.unsubscribe(), { once: true });
  }

  /** @throws StoreError unavailable while cut off: what is sent now would arrive any time later */
  ensureConnected(doing: string, signal: AbortSignal): void {
    throwIfAborted(signal, doing);
    if (!this.isConnected) {
      throw new StoreError("unavailable", `${doing}: not connected to NATS`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const wasConnected = this.isConnected;
    this.#closed.abort(new StoreError("unavailable", "the connection to NATS was closed"));
    // The ends of open verbs, which the others would else learn by silence.
    const flushed = wasConnected ? this.nats.flush().catch(() => {}) : undefined;
    await Promise.race([flushed, setTimeout(FLUSH_DEADLINE_MS, undefined, { ref: false })]);
    this.#connection.abort(this.closed.reason);
    await this.nats.close();
  }

  /** Owned by the connection: its status ends with it. */
  async #followStatus(onError: (error: StoreError) => void): Promise<void> {
    for await (const status of this.nats.status()) {
      switch (status.type) {
        case "disconnect":
        case "staleConnection":
          this.#connection.abort(new StoreError("unavailable", "the connection to NATS was lost"));
          break;
        case "reconnect":
          this.#connection = new AbortController();
          this.#reconnects.wakeAll();
          break;
        case "error":
          onError(toStoreError("connection to NATS", status.error));
          break;
        default:
          break;
      }
    }
  }
}

async function dial(options: LinkOptions): Promise<NatsConnection> {
  const { servers, name, inboxPrefix, user, password } = options;
  return connect({
    servers: [...servers],
    name,
    inboxPrefix,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    // Nobody here listens to itself; pings are for the others.
    noEcho: true,
    timeout: CONNECT_ATTEMPT_MS,
    maxReconnectAttempts: -1,
    // Credentials may be renewed while we run.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_PAUSE_MS,
    reconnectJitter: RECONNECT_PAUSE_MS,
    reconnectJitterTLS: RECONNECT_PAUSE_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
  });
}
