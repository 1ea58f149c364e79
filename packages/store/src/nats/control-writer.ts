/** Writes to `control`, each an atomic batch. */
import { fleetRecordCodec, hostRecordCodec, imageCodec, ordersCodec } from "@evm/codec";
import type { FleetRecord, HostRecord, Image, ImageName } from "@evm/fleet";
import {
  COMMIT_KEY,
  CONTROL_BUCKET,
  EPOCH_KEY,
  fleetKey,
  hostKey,
  imageKey,
  keySubject,
  ordersKey,
} from "@evm/protocol";
import type { ControlCache, Table } from "../control-cache.ts";
import { checkSize, checkWriteCount, commitWriteCount } from "../limits.ts";
import {
  type CommitOutcome,
  type CommitRequest,
  MAX_ORDERS_BYTES,
  MAX_VALUE_BYTES,
  type Write,
  type WriteOutcome,
} from "../store.ts";
import { type BatchMessage, publishBatch } from "./atomic-batch.ts";
import type { Link } from "./link.ts";

const EPOCH_SUBJECT = keySubject(CONTROL_BUCKET, EPOCH_KEY);
const NOTHING = new Uint8Array();

export class ControlWriter {
  readonly #link: Link;
  readonly #cache: ControlCache;

  /** @param cache knows the revisions of removals, which the server counts */
  constructor(link: Link, cache: ControlCache) {
    this.#link = link;
    this.#cache = cache;
  }

  async claimEpoch(
    leader: string,
    expectedEpoch: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const payload = new TextEncoder().encode(leader);
    return this.#write("claiming the epoch", [message(EPOCH_KEY, payload, expectedEpoch)], signal);
  }

  async commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    const doing = `committing orders in epoch ${request.epoch}`;
    checkWriteCount(doing, commitWriteCount(request));
    const fence: BatchMessage = {
      subject: keySubject(CONTROL_BUCKET, COMMIT_KEY),
      payload: NOTHING,
      expected: { sequence: request.epoch, of: EPOCH_SUBJECT },
      isRemoval: false,
    };
    const orders = request.orders.map(({ value, expectedRevision }) => {
      const payload = ordersCodec.encode(value);
      checkSize(`orders of host ${value.host}`, payload.length, MAX_ORDERS_BYTES);
      return message(ordersKey(value.host), payload, expectedRevision);
    });
    const fleets = request.fleets.map((write) => this.#fleetMessage(write));
    const forgotten = request.forgottenFleets.map(({ name, expectedRevision }) =>
      removal(fleetKey(name), expectedRevision),
    );
    const messages = [fence, ...orders, ...fleets, ...forgotten];
    const outcome = await publishBatch(this.#link, doing, messages, signal);
    return outcome.kind === "stored"
      ? { kind: "committed", revision: outcome.sequence }
      : { kind: "rejected", reason: outcome.reason };
  }

  async putFleets(
    writes: readonly Write<FleetRecord>[],
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    if (writes.length === 0) return { kind: "written", revision: this.#cache.revision };
    const doing = "writing fleets";
    checkWriteCount(doing, writes.length);
    const messages = writes.map((write) => this.#fleetMessage(write));
    return this.#write(doing, messages, signal);
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
    const { name } = value;
    const payload = imageCodec.encode(value);
    const expected = serverRevision(this.#cache.images, name, expectedRevision);
    const write = message(imageKey(name), payload, expected);
    return this.#write(`writing image ${name}`, [write], signal);
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
    const write = message(hostKey(value.name), hostRecordCodec.encode(value), expectedRevision);
    return this.#write(`writing host ${value.name}`, [write], signal);
  }

  async #write(
    doing: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const outcome = await publishBatch(this.#link, doing, messages, signal);
    return outcome.kind === "stored"
      ? { kind: "written", revision: outcome.sequence }
      : { kind: "conflict" };
  }
}

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
