/** A host's connection to the store on NATS. */
import { heartbeatCodec, leaseGrantCodec, ordersCodec, reportCodec } from "@evm/codec";
import type { Heartbeat, HostName, LeaseGrant, Orders, Report } from "@evm/fleet";
import {
  CONTROL_BUCKET,
  heartbeatSubject,
  keySubject,
  ordersKey,
  ordersSubject,
  REPORTS_BUCKET,
  reportKey,
} from "@evm/protocol";
import { type HostStore, type HostVerb, StoreError, type VerbHandler } from "../store.ts";
import { NatsClient } from "./client.ts";
import { isNoResponders, isTimeout, toStoreError } from "./errors.ts";
import { Link } from "./link.ts";
import { bucketStream, checkServerVersion } from "./streams.ts";
import { VerbServer } from "./verb-transport.ts";

/** Below the least time between two heartbeats, a second. */
const HEARTBEAT_DEADLINE_MS = 900;

export type HostOptions = {
  /** `host:port` or `nats://host:port` of one or more servers of the cluster. */
  readonly servers: readonly string[];
  readonly host: HostName;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Ends the attempt to connect. */
  readonly signal: AbortSignal;
  /** Hears what goes wrong outside of any call. */
  readonly onError: (error: StoreError) => void;
};

/**
 * Connects a host. Needs no stream to exist yet: until a coordinator has made them, calls fail as
 * unavailable. Its replies come to `_INBOX_<host>.>` and verbs to `stream.<host>.>`, so that a
 * server can allow each host its own subjects only.
 *
 * @throws StoreError unavailable where no server answers, unsuitable where it is too old
 */
export async function connectHost(options: HostOptions): Promise<HostStore> {
  const { host, signal } = options;
  const names = { name: `host/${host}`, inboxPrefix: `_INBOX_${host}` };
  const link = await Link.open({ ...options, ...names }, signal);
  try {
    checkServerVersion(link.nats.info?.version);
    return new NatsHost(link, host);
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  }
}

class NatsHost extends NatsClient implements HostStore {
  readonly host: HostName;
  readonly #verbs: VerbServer;

  constructor(link: Link, host: HostName) {
    super(link);
    this.host = host;
    this.#verbs = new VerbServer(link, host);
  }

  async readOrders(signal: AbortSignal): Promise<Orders | undefined> {
    const doing = `reading orders of host ${this.host}`;
    const subject = keySubject(CONTROL_BUCKET, ordersKey(this.host));
    // By the stream's leader: the bucket allows no direct get, which may give old values.
    const stored = await this.link.ask(doing, signal, ({ streams }) =>
      streams.getMessage(bucketStream(CONTROL_BUCKET), { last_by_subj: subject }),
    );
    if (stored === null) return undefined;
    try {
      return ordersCodec.decode(stored.data);
    } catch (error) {
      throw toStoreError(doing, error);
    }
  }

  watchOrders(wake: () => void, signal: AbortSignal): void {
    const open = this.whileOpen(signal);
    this.link.subscribe(ordersSubject(this.host), () => wake(), open);
    this.link.onReconnect(wake, open);
  }

  onReconnect(wake: () => void, signal: AbortSignal): void {
    this.link.onReconnect(wake, this.whileOpen(signal));
  }

  async putReport(report: Report, signal: AbortSignal): Promise<void> {
    const subject = keySubject(REPORTS_BUCKET, reportKey(this.host));
    const doing = `writing the report of host ${this.host}`;
    await this.store(doing, subject, reportCodec.encode(report), signal);
  }

  async heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<LeaseGrant | undefined> {
    const doing = `heartbeat of host ${this.host}`;
    const payload = heartbeatCodec.encode(heartbeat);
    try {
      const answer = await this.link.request(doing, heartbeatSubject(this.host), payload, signal, {
        deadlineMs: HEARTBEAT_DEADLINE_MS,
      });
      return leaseGrantCodec.decode(answer.data);
    } catch (error) {
      const isUnanswered =
        error instanceof StoreError && (isNoResponders(error.cause) || isTimeout(error.cause));
      if (isUnanswered) return undefined;
      throw toStoreError(doing, error);
    }
  }

  serveVerb(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    this.#verbs.serve(verb, handler, this.whileOpen(signal));
  }
}
