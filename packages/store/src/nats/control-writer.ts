/** Writes to `control`, each an atomic batch. */
import {
  epochHolderCodec,
  fleetRecordCodec,
  hostRecordCodec,
  imageCodec,
  ordersCodec,
} from "@evm/codec";
import type { FleetRecord, HostRecord, Image, ImageName, Orders } from "@evm/fleet";
import {
  COMMIT_KEY,
  CONTROL_BUCKET,
  EPOCH_KEY,
  fleetKey,
  hostKey,
  imageKey,
  keySubject,
  LOOK_KEY,
  ordersKey,
} from "@evm/protocol";
import type { ControlCache, Table } from "../control-cache.ts";
import { History } from "../history.ts";
import { checkSize, checkWriteCount, commitWriteCount } from "../limits.ts";
import {
  type ClaimOutcome,
  type CommitOutcome,
  type CommitRequest,
  type Epoch,
  MAX_ORDERS_BYTES,
  MAX_VALUE_BYTES,
  type RestoreOutcome,
  type RestoreRequest,
  StoreError,
  type Write,
  type WriteOutcome,
} from "../store.ts";
import { type BatchMessage, type BatchOutcome, publishBatch } from "./atomic-batch.ts";
import { apiStoreError } from "./errors.ts";
import type { Link } from "./link.ts";
import { parsePublishReply } from "./publish-reply.ts";

const EPOCH_SUBJECT = keySubject(CONTROL_BUCKET, EPOCH_KEY);
const NOTHING = new Uint8Array();

export class ControlWriter {
  readonly history = new History();
  readonly #link: Link;
  readonly #cache: ControlCache;
  /** This coordinator's last claim, which the cache may not show yet. */
  #claimed: Pick<Epoch, "epoch" | "base"> = { epoch: 0, base: 0 };

  /** @param cache knows the revisions of removals, which the server counts */
  constructor(link: Link, cache: ControlCache) {
    this.#link = link;
    this.#cache = cache;
  }

  async claimEpoch(
    leader: string,
    expectedEpoch: number,
    signal: AbortSignal,
  ): Promise<ClaimOutcome> {
    const base = this.#baseOf(expectedEpoch);
    if (base === undefined) return { kind: "conflict" };
    const payload = epochHolderCodec.encode({ leader, base });
    const claim = message(EPOCH_KEY, payload, expectedEpoch - base);
    const outcome = await this.#write("claiming the epoch", [claim], signal);
    if (outcome.kind === "conflict") return outcome;
    const epoch = base + outcome.revision;
    this.#claimed = { epoch, base };
    return { ...outcome, epoch };
  }

  /** The revision of a write of nothing: greater than that of all acknowledged before. */
  async look(signal: AbortSignal): Promise<number> {
    const doing = "looking how far the control state goes";
    const known = this.#cache.revision;
    const subject = keySubject(CONTROL_BUCKET, LOOK_KEY);
    const answer = await this.#link.requestOfStream(doing, subject, NOTHING, signal);
    const reply = parsePublishReply(doing, answer);
    switch (reply.kind) {
      case "stored":
        this.history.follow(known + 1, reply.sequence);
        return reply.sequence;
      case "refused":
        throw apiStoreError(doing, reply.code, reply.text);
      case "empty":
        throw new StoreError("corrupt", `${doing}: an empty answer`);
    }
  }

  async commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    const doing = `committing orders in epoch ${request.epoch}`;
    checkWriteCount(doing, commitWriteCount(request));
    const forgotten = request.forgottenFleets.map(({ name, expectedRevision }) =>
      removal(fleetKey(name), expectedRevision),
    );
    const base = this.#baseOf(request.epoch);
    if (base === undefined) return { kind: "rejected", reason: `${request.epoch} is over` };
    const messages = [
      fence(request.epoch - base),
      ...request.orders.map(orders),
      ...request.fleets.map((write) => this.#fleetMessage(write)),
      ...forgotten,
    ];
    return this.#commit(doing, messages, signal);
  }

  async restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreOutcome> {
    const { epoch, base, by } = request;
    const doing = "restoring";
    const writes = [
      ...request.fleets.map((write) => this.#fleetMessage(write)),
      ...request.images.map((write) => this.#imageMessage(write)),
      ...request.hosts.map(host),
      ...request.orders.map(orders),
    ];
    checkWriteCount(doing, writes.length);
    const before = this.#baseOf(epoch);
    if (before === undefined) return { kind: "rejected", reason: `${epoch} is over` };
    const payload = epochHolderCodec.encode({ leader: by, base });
    // It is a fence itself, for it names the revision that it replaces.
    const messages = [...writes, message(EPOCH_KEY, payload, epoch - before)];
    const outcome = await this.#commit(doing, messages, signal);
    if (outcome.kind === "rejected") return outcome;
    this.#claimed = { epoch: base + outcome.revision, base };
    return { ...outcome, epoch: this.#claimed.epoch };
  }

  async putFleets(
    writes: readonly Write<FleetRecord>[],
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    if (writes.length === 0) return { kind: "written", revision: this.#cache.revision };
    const doing = "writing fleets";
    checkWriteCount(doing, writes.length);
    return this.#write(
      doing,
      writes.map((write) => this.#fleetMessage(write)),
      signal,
    );
  }

  #fleetMessage({ value, expectedRevision }: Write<FleetRecord>): BatchMessage {
    const { name } = value.spec;
    const payload = fleetRecordCodec.encode(value);
    checkSize(`fleet ${name}`, payload.length, MAX_VALUE_BYTES);
    const expected = serverRevision(this.#cache.fleets, name, expectedRevision);
    return message(fleetKey(name), payload, expected);
  }

  async putImage(
    value: Image,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const write = this.#imageMessage({ value, expectedRevision });
    return this.#write(`writing image ${value.name}`, [write], signal);
  }

  async removeImage(
    name: ImageName,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    // The server would take 0, and store that what never was is removed.
    if (expectedRevision === 0) return { kind: "conflict" };
    const write = removal(imageKey(name), expectedRevision);
    return this.#write(`removing image ${name}`, [write], signal);
  }

  async putHost(
    value: HostRecord,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const write = host({ value, expectedRevision });
    return this.#write(`writing host ${value.name}`, [write], signal);
  }

  /**
   * The base of an epoch that is or may be the newest; undefined where it is over. Who holds an
   * epoch claimed it here (L1), or saw it.
   */
  #baseOf(epoch: number): number | undefined {
    return [this.#cache.epoch, this.#claimed].find((one) => one.epoch === epoch)?.base;
  }

  #imageMessage({ value, expectedRevision }: Write<Image>): BatchMessage {
    const expected = serverRevision(this.#cache.images, value.name, expectedRevision);
    return message(imageKey(value.name), imageCodec.encode(value), expected);
  }

  async #commit(
    doing: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal,
  ): Promise<CommitOutcome> {
    const outcome = await this.#publish(doing, messages, signal);
    return outcome.kind === "stored"
      ? { kind: "committed", revision: outcome.sequence }
      : { kind: "rejected", reason: outcome.reason };
  }

  async #write(
    doing: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const outcome = await this.#publish(doing, messages, signal);
    return outcome.kind === "stored"
      ? { kind: "written", revision: outcome.sequence }
      : { kind: "conflict" };
  }

  async #publish(
    doing: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal,
  ): Promise<BatchOutcome> {
    this.history.ensure();
    const known = this.#cache.revision;
    const outcome = await publishBatch(this.#link, doing, messages, signal);
    if (outcome.kind === "stored") this.history.follow(known + 1, outcome.sequence);
    return outcome;
  }
}

/** Lets a batch through only while the epoch key is at this revision. */
const fence = (revision: number): BatchMessage => ({
  subject: keySubject(CONTROL_BUCKET, COMMIT_KEY),
  payload: NOTHING,
  expected: { sequence: revision, of: EPOCH_SUBJECT },
  isRemoval: false,
});

function orders({ value, expectedRevision }: Write<Orders>): BatchMessage {
  const payload = ordersCodec.encode(value);
  checkSize(`orders of host ${value.host}`, payload.length, MAX_ORDERS_BYTES);
  return message(ordersKey(value.host), payload, expectedRevision);
}

const host = ({ value, expectedRevision }: Write<HostRecord>): BatchMessage =>
  message(hostKey(value.name), hostRecordCodec.encode(value), expectedRevision);

/** For the server a removed key is at the revision of its removal; for our callers at 0 (S3). */
const serverRevision = <Key>(table: Table<Key, unknown>, key: Key, expected: number): number =>
  expected === 0 ? table.removal(key) : expected;

function message(key: string, payload: Uint8Array, expectedRevision: number): BatchMessage {
  const subject = keySubject(CONTROL_BUCKET, key);
  const expected = { sequence: expectedRevision, of: subject };
  return { subject, payload, expected, isRemoval: false };
}

const removal = (key: string, expectedRevision: number): BatchMessage => ({
  ...message(key, NOTHING, expectedRevision),
  isRemoval: true,
});
