/** What a coordinator and a host on NATS share. */

import { eventCodec } from "@evm/codec";
import type { Digest, EventRecord } from "@evm/fleet";
import { eventSubject } from "@evm/protocol";
import { checkSize } from "../limits.ts";
import { MAX_VALUE_BYTES, type StoreConnection, StoreError } from "../store.ts";
import { getBlob, putBlob } from "./blobs.ts";
import { apiStoreError } from "./errors.ts";
import type { Link } from "./link.ts";
import { parsePublishReply } from "./publish-reply.ts";

export class NatsClient implements StoreConnection {
  protected readonly link: Link;

  constructor(link: Link) {
    this.link = link;
  }

  get isConnected(): boolean {
    return this.link.isConnected;
  }

  async appendEvent(event: EventRecord, signal: AbortSignal): Promise<void> {
    const subject = eventSubject(event.source);
    await this.store("appending an event", subject, eventCodec.encode(event), signal);
  }

  async putBlob(
    digest: Digest,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    await putBlob(this.link, digest, content, signal);
  }

  async getBlob(
    digest: Digest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    return getBlob(this.link, digest, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link[Symbol.asyncDispose]();
  }

  /** Stores one message, whatever was there. */
  protected async store(
    doing: string,
    subject: string,
    payload: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    checkSize(doing, payload.length, MAX_VALUE_BYTES);
    const answer = await this.link.requestOfStream(doing, subject, payload, signal);
    const reply = parsePublishReply(doing, answer);
    if (reply.kind === "refused") throw apiStoreError(doing, reply.code, reply.text);
    if (reply.kind === "empty") throw new StoreError("corrupt", `${doing}: an empty answer`);
  }

  /** A signal that also fires when the connection is closed. */
  protected whileOpen(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.link.closed]);
  }
}
