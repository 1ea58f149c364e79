/** A coordinator's connection to the store on NATS. */
import { eventCodec, heartbeatCodec, leaseGrantCodec, pingCodec, reportCodec } from "@evm/codec";
import type {
  FleetRecord,
  Heartbeat,
  HostName,
  HostRecord,
  Image,
  ImageName,
  LeaseGrant,
  Ping,
  Report,
  StoredEvent,
} from "@evm/fleet";
import {
  CONTROL_BUCKET,
  COORDINATOR_PING_SUBJECT,
  EVENTS_STREAM,
  HEARTBEAT_SUBJECTS,
  REPORTS_BUCKET,
} from "@evm/protocol";
import type { JsMsg } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import { EventLog } from "../event-log.ts";
import { SnapshotMap } from "../snapshot-map.ts";
import type {
  ClaimOutcome,
  CommitOutcome,
  CommitRequest,
  ControlState,
  CoordinatorStore,
  EventQuery,
  HostStream,
  HostVerb,
  RestoreOutcome,
  RestoreRequest,
  StoreError,
  Write,
  WriteOutcome,
} from "../store.ts";
import { Wakeups } from "../wakeups.ts";
import { ensureBlobs } from "./blobs.ts";
import { NatsClient } from "./client.ts";
import { ControlReader } from "./control-reader.ts";
import { ControlWriter } from "./control-writer.ts";
import { toStoreError } from "./errors.ts";
import { type FollowOptions, follow, newestSequence } from "./follow.ts";
import { Link, REQUEST_DEADLINE_MS } from "./link.ts";
import { bucketStream, defaultReplicas, ensureStreams } from "./streams.ts";
import { openVerb } from "./verb-transport.ts";

/** To read all of `control` at the start: hundreds of megabytes at the very most. */
const LOAD_DEADLINE_MS = 60_000;

export type CoordinatorOptions = {
  /** `host:port` or `nats://host:port` of one or more servers of the cluster. */
  readonly servers: readonly string[];
  /** Of this coordinator; letters, digits, `-` and `_`. */
  readonly id: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Copies of everything that is stored. By default 3 in a cluster and 1 on a single server. */
  readonly replicas?: number | undefined;
  /** Ends the attempt to connect. */
  readonly signal: AbortSignal;
  /** Hears what goes wrong outside of any call: values that cannot be read, refused permissions. */
  readonly onError: (error: StoreError) => void;
};

/**
 * Connects a coordinator, creating the streams that are missing; resolves once what they hold
 * has been read.
 *
 * @throws StoreError unavailable where no server answers, unsuitable where it lacks what EVM needs
 */
export async function connectCoordinator(options: CoordinatorOptions): Promise<CoordinatorStore> {
  const { id, signal } = options;
  const names = { name: `coordinator/${id}`, inboxPrefix: `_INBOX_coordinator_${id}` };
  const link = await Link.open({ ...options, ...names }, signal);
  const store = new NatsCoordinator(link, options.onError);
  try {
    const replicas = options.replicas ?? defaultReplicas(link);
    await ensureStreams(link, replicas, signal);
    await ensureBlobs(link, replicas, signal);
    await store.load(AbortSignal.any([signal, AbortSignal.timeout(LOAD_DEADLINE_MS)]));
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

class NatsCoordinator extends NatsClient implements CoordinatorStore {
  readonly #onError: (error: StoreError) => void;
  readonly #control: ControlReader;
  readonly #writer: ControlWriter;
  readonly #reports = new SnapshotMap<HostName, Report>();
  readonly #reportChanges = new Wakeups();
  #reportSequence = 0;
  readonly #events = new EventLog();
  #following: readonly Promise<void>[] = [];

  constructor(link: Link, onError: (error: StoreError) => void) {
    super(link);
    this.#onError = onError;
    this.#control = new ControlReader(onError);
    this.#writer = new ControlWriter(link, this.#control.cache);
  }

  /** Follows the streams from now on; resolves once all that they hold now has been read. */
  async load(signal: AbortSignal): Promise<void> {
    const { link } = this;
    const onError = this.#onError;
    const control = bucketStream(CONTROL_BUCKET);
    const reports = bucketStream(REPORTS_BUCKET);
    const all: readonly Omit<FollowOptions, "onError">[] = [
      { stream: control, from: "last", receive: (message) => this.#control.receive(message) },
      { stream: reports, from: "last", receive: (message) => this.#receiveReport(message) },
      { stream: EVENTS_STREAM, from: "all", receive: (message) => this.#receiveEvent(message) },
    ];
    this.#following = all.map((options) => follow(link, { ...options, onError }, link.closed));
    await this.caughtUp(await newestSequence(link, control, signal), signal);
    const newestReport = await newestSequence(link, reports, signal);
    const isThere = () => this.#reportSequence >= newestReport;
    await this.#reportChanges.until(isThere, "reading reports", signal);
    link.onReconnect(() => void this.#checkHistory(control), link.closed);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await Promise.all(this.#following);
  }

  control(): ControlState {
    return this.#control.state();
  }

  reports(): ReadonlyMap<HostName, Report> {
    return this.#reports.snapshot();
  }

  async caughtUp(revision: number, signal: AbortSignal): Promise<void> {
    const isThere = () => this.#control.revision >= revision;
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOAD_DEADLINE_MS)]);
    const doing = `waiting for revision ${revision}`;
    await this.#control.changes.until(isThere, doing, this.whileOpen(within));
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    await this.caughtUp(await this.#writer.look(signal), signal);
  }

  watch(wake: () => void, signal: AbortSignal): void {
    const open = this.whileOpen(signal);
    this.#control.changes.add(wake, open);
    this.#reportChanges.add(wake, open);
    this.link.onReconnect(wake, open);
  }

  claimEpoch(leader: string, expectedEpoch: number, signal: AbortSignal): Promise<ClaimOutcome> {
    return this.#writer.claimEpoch(leader, expectedEpoch, signal);
  }

  commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    return this.#writer.commit(request, signal);
  }

  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreOutcome> {
    return this.#writer.restore(request, signal);
  }

  putFleets(writes: readonly Write<FleetRecord>[], signal: AbortSignal): Promise<WriteOutcome> {
    return this.#writer.putFleets(writes, signal);
  }

  putImage(value: Image, expectedRevision: number, signal: AbortSignal): Promise<WriteOutcome> {
    return this.#writer.putImage(value, expectedRevision, signal);
  }

  removeImage(
    name: ImageName,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    return this.#writer.removeImage(name, expectedRevision, signal);
  }

  putHost(value: HostRecord, expectedRevision: number, signal: AbortSignal): Promise<WriteOutcome> {
    return this.#writer.putHost(value, expectedRevision, signal);
  }

  async listEvents(query: EventQuery, signal: AbortSignal): Promise<readonly StoredEvent[]> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_DEADLINE_MS)]);
    const newest = await newestSequence(this.link, EVENTS_STREAM, within);
    await this.#events.reached(newest, this.whileOpen(within));
    return this.#events.list(query);
  }

  watchEvents(query: EventQuery, signal: AbortSignal): AsyncIterable<StoredEvent> {
    return this.#events.watch(query, this.whileOpen(signal));
  }

  onHeartbeat(answer: (heartbeat: Heartbeat) => LeaseGrant | undefined, signal: AbortSignal): void {
    this.#listen(HEARTBEAT_SUBJECTS, signal, (message) => {
      const grant = answer(heartbeatCodec.decode(message.data));
      if (grant !== undefined) message.respond(leaseGrantCodec.encode(grant));
    });
  }

  ping(ping: Ping): void {
    if (this.isConnected) {
      this.link.nats.publish(COORDINATOR_PING_SUBJECT, pingCodec.encode(ping));
    }
  }

  onPing(listener: (ping: Ping) => void, signal: AbortSignal): void {
    this.#listen(COORDINATOR_PING_SUBJECT, signal, (message) => {
      listener(pingCodec.decode(message.data));
    });
  }

  openVerb(
    host: HostName,
    verb: HostVerb,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<HostStream> {
    return openVerb(this.link, host, verb, request, signal);
  }

  #listen(subject: string, signal: AbortSignal, receive: (message: Msg) => void): void {
    this.link.subscribe(
      subject,
      (message) => this.#reading(message.subject, () => receive(message)),
      signal,
    );
  }

  #receiveReport({ subject, seq, data }: JsMsg): void {
    this.#reading(subject, () => {
      const report = reportCodec.decode(data);
      this.#reports.set(report.host, report);
    });
    this.#reportSequence = seq;
    this.#reportChanges.wakeAll();
  }

  #receiveEvent({ subject, seq, data }: JsMsg): void {
    if (seq <= this.#events.lastSequence) return;
    this.#reading(`${subject} ${seq}`, () => {
      this.#events.add({ sequence: seq, event: eventCodec.decode(data) });
    });
  }

  /** A server that came back without its data counts from 1 again: what it says is not followed. */
  async #checkHistory(stream: string): Promise<void> {
    const known = this.#control.revision;
    try {
      const newest = await newestSequence(this.link, stream, this.link.closed);
      this.#writer.history.follow(known, newest);
    } catch (error) {
      if (this.isConnected) this.#onError(toStoreError(`following ${stream}`, error));
    }
  }

  /** Reports what cannot be read instead of throwing into the connection. */
  #reading(what: string, read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#onError(toStoreError(`reading ${what}`, error));
    }
  }
}
