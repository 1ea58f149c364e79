/**
 * One end of a two-way byte stream with flow control, whatever carries its frames.
 *
 *  V1 At most `WINDOW_BYTES` are under way or unread in each direction.
 *  V2 It ends once, with or without an error, and both ends learn which.
 *  V3 What was sent before a good or bad end is read before the reader learns of it; a reader that
 *     ends the stream itself reads no more.
 */
import { type HostStream, StoreError, type StoreErrorCode, type VerbHandler } from "./store.ts";
import { abortedError } from "./wakeups.ts";

/** Enough for 100 MB/s at a round trip of 2 ms, little enough to hold for every open stream. */
export const WINDOW_BYTES = 256 * 1024;

/** Well below the 1 MB where a NATS message ends, and small beside the window. */
export const MAX_FRAME_BYTES = 32 * 1024;

/** So many verbs at once on one host: each may hold two windows, 32 MiB in all. */
export const MAX_STREAMS_PER_HOST = 64;

export type Frame =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** The reader has taken so many more bytes. */
  | { readonly kind: "credit"; readonly byteCount: number }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly code: StoreErrorCode; readonly text: string };

export class VerbStream implements HostStream {
  readonly incoming: AsyncIterable<Uint8Array>;
  readonly #doing: string;
  readonly #transmit: (frame: Frame) => void;
  readonly #over = new AbortController();
  #error: StoreError | undefined;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #uncreditedBytes = 0;
  #inFlightBytes = 0;
  #change = Promise.withResolvers<void>();

  /** @param doing for messages: "logs of host h1" */
  constructor(doing: string, transmit: (frame: Frame) => void) {
    this.#doing = doing;
    this.#transmit = transmit;
    this.incoming = this.#read();
  }

  /** Fires when the stream is over, from whichever side. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  async send(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += MAX_FRAME_BYTES) {
      // A copy: the frame may wait while the caller uses its buffer again. `slice` would be a view
      // of a Buffer.
      const bytes = new Uint8Array(data.subarray(start, start + MAX_FRAME_BYTES));
      while (!this.over.aborted && this.#inFlightBytes + bytes.length > WINDOW_BYTES) {
        await this.#change.promise;
      }
      if (this.over.aborted) {
        throw this.#error ?? new StoreError("cancelled", `${this.#doing}: the stream has ended`);
      }
      this.#inFlightBytes += bytes.length;
      this.#transmit({ kind: "data", bytes });
    }
  }

  /** Takes a frame from the other end. */
  receive(frame: Frame): void {
    if (this.over.aborted) return;
    switch (frame.kind) {
      case "data":
        this.#unread.push(frame.bytes);
        this.#unreadBytes += frame.bytes.length;
        if (this.#unreadBytes > WINDOW_BYTES) {
          const text = `${this.#doing}: the other side sent more than it may`;
          this.fail(new StoreError("corrupt", text));
        }
        break;
      case "credit":
        this.#inFlightBytes -= frame.byteCount;
        break;
      case "end":
        this.#finish(undefined);
        break;
      case "error":
        this.#finish(new StoreError(frame.code, frame.text));
        break;
    }
    this.#changed();
  }

  /** Ends it badly for both sides, here with what was received still to be read. */
  fail(error: StoreError): void {
    if (this.over.aborted) return;
    this.#transmit({ kind: "error", code: error.code, text: error.message });
    this.#finish(error);
  }

  /** Ends it well for both sides; what was not read is dropped. */
  close(): void {
    this.#unread = [];
    if (this.over.aborted) return;
    this.#transmit({ kind: "end" });
    this.#finish(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #finish(error: StoreError | undefined): void {
    this.#error = error;
    this.#over.abort();
    this.#changed();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = this.#unread.shift();
      if (bytes !== undefined) {
        this.#taken(bytes.length);
        yield bytes;
      } else if (this.over.aborted) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await this.#change.promise;
      }
    }
  }

  #taken(byteCount: number): void {
    this.#unreadBytes -= byteCount;
    this.#uncreditedBytes += byteCount;
    // A quarter of the window at a time: few frames, and the sender never runs dry.
    if (this.#uncreditedBytes < WINDOW_BYTES / 4 || this.over.aborted) return;
    this.#transmit({ kind: "credit", byteCount: this.#uncreditedBytes });
    this.#uncreditedBytes = 0;
  }
}

/** Fails the stream when the signal fires. */
export function failOnAbort(stream: VerbStream, doing: string, signal: AbortSignal): void {
  const fail = () => stream.fail(abortedError(signal, doing));
  if (signal.aborted) fail();
  else signal.addEventListener("abort", fail, { once: true, signal: stream.over });
}

/** Runs a host's handler on its end; however it ends, the other side learns it. Never rejects. */
export async function runHandler(
  handler: VerbHandler,
  request: Uint8Array,
  stream: VerbStream,
): Promise<void> {
  try {
    await handler(request, stream, stream.over);
    stream.close();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    stream.fail(
      error instanceof StoreError ? error : new StoreError("failed", text, { cause: error }),
    );
  }
}
