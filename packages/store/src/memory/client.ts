/** What both kinds of participant of an in-memory store share. */
import type { Digest, EventRecord } from "@evm/fleet";
import { verified } from "../blob.ts";
import { type StoreConnection, StoreError } from "../store.ts";
import { throwIfAborted } from "../wakeups.ts";
import type { Participant } from "./participant.ts";
import type { World } from "./world.ts";

export class MemoryClient implements StoreConnection {
  protected readonly world: World;
  protected readonly participant: Participant;
  /** Fires when the connection is disposed of. */
  readonly #closed = new AbortController();

  constructor(world: World, participant: Participant) {
    this.world = world;
    this.participant = participant;
  }

  get isConnected(): boolean {
    return !this.#closed.signal.aborted && this.world.isConnected(this.participant);
  }

  async appendEvent(event: EventRecord, signal: AbortSignal): Promise<void> {
    this.reach("appending an event", signal);
    this.world.appendEvent(event);
  }

  async putBlob(
    digest: Digest,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const doing = `storing blob ${digest}`;
    this.reach(doing, signal);
    if (this.world.blobs.has(digest)) return;
    const pieces: Uint8Array[] = [];
    for await (const bytes of verified(digest, content)) {
      throwIfAborted(signal, doing);
      pieces.push(new Uint8Array(bytes));
    }
    this.reach(doing, signal);
    this.world.blobs.set(digest, pieces);
  }

  async getBlob(
    digest: Digest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    this.reach(`reading blob ${digest}`, signal);
    const pieces = this.world.blobs.get(digest);
    return pieces && each(pieces);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.world.verbs.cut(this.participant);
  }

  /** Throws where a real store could not be reached now. */
  protected reach(doing: string, signal: AbortSignal): void {
    throwIfAborted(signal, doing);
    if (!this.isConnected) throw new StoreError("unavailable", `${doing}: not connected`);
  }

  /** A signal that also fires when the connection is disposed of. */
  protected whileOpen(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closed.signal]);
  }
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
