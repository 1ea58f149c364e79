/**
 * What is durable and shared, as coordinators and hosts see it. Two implementations, in memory and
 * on NATS JetStream, pass one contract suite.
 *
 *  S1 A commit is all or nothing, and refused unless its epoch is still the newest (the fence).
 *  S2 A write that was acknowledged is never lost (I6).
 *  S3 Every write names the revision that it replaces (compare-and-set); 0 means "does not exist".
 *  S4 A wake-up carries no meaning: whoever is woken reads the whole again.
 *  S5 Revisions only grow. A coordinator whose write gets one that it is beyond knew what the store
 *     has lost since: that and every later write of this connection fail as `corrupt`.
 */
import type {
  Digest,
  EventRecord,
  FleetName,
  FleetRecord,
  Heartbeat,
  HostName,
  HostRecord,
  Image,
  ImageName,
  LeaseGrant,
  Orders,
  Ping,
  Report,
  StoredEvent,
} from "@evm/fleet";

export type { EventRecord, Heartbeat, HostRecord, LeaseGrant, Ping, StoredEvent };

/** A value with the revision that a later write must name. */
export type Versioned<T> = { readonly value: T; readonly revision: number };

/** A value to write, and the revision that it replaces; 0 for "must not exist yet" (S3). */
export type Write<T> = { readonly value: T; readonly expectedRevision: number };

export type Epoch = {
  /** `base` and the revision of the epoch key, added up. 0 before the first leader. */
  readonly epoch: number;
  /**
   * Carried on by every claim, 0 until a restore raises it: revisions begin anew where the store
   * lost its data, and epochs must not, since hosts refuse orders of older ones (I5).
   */
  readonly base: number;
  /** Who holds it. */
  readonly leader: string;
};

/** Everything in `control`, at one revision. */
export type ControlState = {
  /** Revision of the newest write that this state includes. */
  readonly revision: number;
  readonly epoch: Epoch;
  readonly fleets: ReadonlyMap<FleetName, Versioned<FleetRecord>>;
  readonly images: ReadonlyMap<ImageName, Versioned<Image>>;
  readonly hosts: ReadonlyMap<HostName, Versioned<HostRecord>>;
  readonly orders: ReadonlyMap<HostName, Versioned<Orders>>;
};

export type CommitRequest = {
  /** The epoch that the writer holds; the fence. */
  readonly epoch: number;
  readonly orders: readonly Write<Orders>[];
  /** What the plan changes of declared fleets: the state of their rollouts. */
  readonly fleets: readonly Write<FleetRecord>[];
  readonly forgottenFleets: readonly {
    readonly name: FleetName;
    readonly expectedRevision: number;
  }[];
};

export type CommitOutcome =
  | { readonly kind: "committed"; readonly revision: number }
  /** Somebody wrote in between, or another leads: read again and plan again. */
  | { readonly kind: "rejected"; readonly reason: string };

export type WriteOutcome =
  | { readonly kind: "written"; readonly revision: number }
  | { readonly kind: "conflict" };

export type ClaimOutcome =
  | { readonly kind: "written"; readonly revision: number; readonly epoch: number }
  | { readonly kind: "conflict" };

/** What a restore writes beside what planners and operators do. */
export type RestoreRequest = {
  /** The newest epoch, whoever holds it; the fence. */
  readonly epoch: number;
  /** Writes, last of all, a new epoch above this base: whoever leads has to stand again. */
  readonly base: number;
  /** The coordinator that restores. */
  readonly by: string;
  readonly fleets: readonly Write<FleetRecord>[];
  readonly images: readonly Write<Image>[];
  readonly hosts: readonly Write<HostRecord>[];
  readonly orders: readonly Write<Orders>[];
};

export type RestoreOutcome =
  | { readonly kind: "committed"; readonly revision: number; readonly epoch: number }
  | { readonly kind: "rejected"; readonly reason: string };

export type EventQuery = {
  readonly fleet: string | undefined;
  readonly instance: string | undefined;
  readonly host: string | undefined;
  /** Only events after this sequence number. */
  readonly afterSequence: number;
  /** Only events before this one, to page into the past; watches ignore it. */
  readonly beforeSequence: number | undefined;
  /** At most so many, the newest. */
  readonly limit: number;
};

/** Verbs that are not state, carried out by a host for a coordinator. */
export type HostVerb = "logs" | "console" | "orders";

/**
 * A two-way byte stream with a host. Disposing of it ends it for both sides; a side that ends badly
 * makes the other's `incoming` throw. Where the other side does not keep up, `send` waits.
 */
export interface HostStream extends AsyncDisposable {
  /** For one reader. Ends once the other side has ended and all it sent was read. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** One at a time. Rejects once the stream is over. */
  send(data: Uint8Array): Promise<void>;
}

/** Serves one verb: reads and sends, then returns (a good end) or throws (a bad one). */
export type VerbHandler = (
  request: Uint8Array,
  stream: HostStream,
  signal: AbortSignal,
) => Promise<void>;

/** What both sides share. */
export interface StoreConnection extends AsyncDisposable {
  /** False while cut off from the store. */
  readonly isConnected: boolean;
  appendEvent(event: EventRecord, signal: AbortSignal): Promise<void>;
  /** A build context or other content by digest; at most `MAX_BLOB_BYTES`. */
  putBlob(digest: Digest, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Undefined where there is none. */
  getBlob(digest: Digest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
}

/** The store as a coordinator sees it. */
export interface CoordinatorStore extends StoreConnection {
  /** The newest state known here, kept warm; may trail the store by the time a message takes. */
  control(): ControlState;
  reports(): ReadonlyMap<HostName, Report>;
  /** Resolves once `control().revision` ≥ revision: to read what was just written. */
  caughtUp(revision: number, signal: AbortSignal): Promise<void>;
  /**
   * Resolves once `control()` holds every write that was acknowledged before the call, by whomever:
   * a write of nothing says how far that is. Whoever answers "it is so already" must ask first.
   */
  catchUp(signal: AbortSignal): Promise<void>;
  /** Calls `wake` after every change of `control()` or `reports()` until the signal fires. */
  watch(wake: () => void, signal: AbortSignal): void;

  /** Takes the next epoch if `expectedEpoch` is still the newest; its base stays. */
  claimEpoch(leader: string, expectedEpoch: number, signal: AbortSignal): Promise<ClaimOutcome>;
  commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome>;
  /** Writes all of them or none, and only while the epoch is the newest (S1). */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreOutcome>;

  /** Writes all of them or none; the outcome's revision is that of the last one. */
  putFleets(writes: readonly Write<FleetRecord>[], signal: AbortSignal): Promise<WriteOutcome>;
  putImage(value: Image, expectedRevision: number, signal: AbortSignal): Promise<WriteOutcome>;
  removeImage(
    name: ImageName,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome>;
  putHost(value: HostRecord, expectedRevision: number, signal: AbortSignal): Promise<WriteOutcome>;

  listEvents(query: EventQuery, signal: AbortSignal): Promise<readonly StoredEvent[]>;
  /** What `listEvents` gives, then each new one, until the signal fires. */
  watchEvents(query: EventQuery, signal: AbortSignal): AsyncIterable<StoredEvent>;

  /** Hears every host's heartbeat; what `answer` returns is the reply, undefined is silence. */
  onHeartbeat(answer: (heartbeat: Heartbeat) => LeaseGrant | undefined, signal: AbortSignal): void;
  ping(ping: Ping): void;
  onPing(listener: (ping: Ping) => void, signal: AbortSignal): void;

  /** Opens a verb on a host. Fails with `unavailable` where the host does not answer. */
  openVerb(
    host: HostName,
    verb: HostVerb,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<HostStream>;
}

/** The store as one host sees it. */
export interface HostStore extends StoreConnection {
  readonly host: HostName;
  /** The newest orders for this host, by the stream's leader; undefined before the first. */
  readOrders(signal: AbortSignal): Promise<Orders | undefined>;
  /** Calls `wake` when orders may have changed, and after every reconnect. */
  watchOrders(wake: () => void, signal: AbortSignal): void;
  /** Calls `wake` after every reconnect: what was written before may be lost. */
  onReconnect(wake: () => void, signal: AbortSignal): void;
  putReport(report: Report, signal: AbortSignal): Promise<void>;
  /** Undefined where nobody leads. */
  heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<LeaseGrant | undefined>;
  serveVerb(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void;
}

/** The largest blob: a build context above this is refused, it would crowd the shared store. */
export const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** The largest orders document: JetStream's messages end at 1 MB, and half of it is a warning. */
export const MAX_ORDERS_BYTES = 500_000;

/** The largest of any other value: a report, a fleet, an event. NATS' messages end at 1 MiB. */
export const MAX_VALUE_BYTES = 900_000;

/**
 * The most orders and fleets, written or forgotten, in one commit or one `putFleets`, and writes in
 * one `restore`: JetStream's atomic batch ends at 1,000 messages, of which a fence needs one.
 */
export const MAX_COMMIT_WRITES = 999;

const CODES = {
  /** Cut off, no leader, timed out: try again. */
  unavailable: { isTransient: true },
  /** The server lacks what EVM needs; the message says what to install. */
  unsuitable: { isTransient: false },
  /** A value above a limit. */
  tooLarge: { isTransient: false },
  notFound: { isTransient: false },
  /** What is stored, or was given to be stored, is not what its type or digest says. */
  corrupt: { isTransient: false },
  /** Wrong use, or the other side of a verb failed; the message is its own. */
  failed: { isTransient: false },
  cancelled: { isTransient: true },
} as const;

export type StoreErrorCode = keyof typeof CODES;

/** For a code that came over a network. */
export const isStoreErrorCode = (text: string): text is StoreErrorCode =>
  Object.hasOwn(CODES, text);

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  /** @param message "what I was doing: what went wrong" */
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }

  /** True where the same call may succeed later without anyone changing anything. */
  get isTransient(): boolean {
    return CODES[this.code].isTransient;
  }
}
