// One stream of bytes within a connection (virStream): a console, an upload, a download.
//
// Invariants: (1) once the stream is over, for whatever reason, everything that waits on it is
// settled; (2) what was received and not yet read is bounded: beyond RECEIVE_HIGH_BYTES the whole
// connection stops reading, for its streams share one socket; (3) it does so for STALL_LIMIT_MS at
// the most, then the stream that nobody reads is given up, so that a slow reader cannot starve the
// calls and keepalives beside it.

import { aborted, LibvirtError } from "./error.ts";
import { FrameStatus, STREAM_CHUNK_BYTES } from "./frame.ts";

/** About 16 chunks: enough to keep a disk or a link busy, small beside what a guest takes. */
export const RECEIVE_HIGH_BYTES = 4 * 1024 * 1024;
const RECEIVE_LOW_BYTES = RECEIVE_HIGH_BYTES / 2;

/** Well below the 25 s of silence after which a daemon with default settings hangs up. */
export const STALL_LIMIT_MS = 10_000;

/** What a stream needs of its connection. */
export interface StreamPort {
  /** What opened the stream. */
  readonly name: string;
  /** How long the daemon may take to accept data or to confirm the end. */
  readonly timeoutMs: number;
  /** Sends a packet. False means: wait for `drained` before the next. */
  send(status: number, data?: Uint8Array): boolean;
  /** Whether the connection may go on reading, as far as this stream is concerned. */
  setReadable(isReadable: boolean): void;
  /** The stream is over: nothing more is sent, nothing more must be delivered. */
  release(): void;
}

type State =
  | { readonly kind: "open" }
  | { readonly kind: "finishing"; readonly confirmed: PromiseWithResolvers<void> }
  | { readonly kind: "finished" }
  | { readonly kind: "failed"; readonly error: LibvirtError };

/**
 * A bidirectional stream. Iterate over it to read (one reader); it ends where the daemon's data
 * ends. `finish` it to know that everything written has arrived; dispose of it to abort it.
 * A stream that is not read holds up its connection, and after a while fails: see the invariants.
 */
export class ByteStream implements AsyncIterable<Buffer>, Disposable {
  /** What opened it; its errors start with it. */
  readonly name: string;
  readonly #port: StreamPort;
  #state: State = { kind: "open" };
  readonly #received: Buffer[] = [];
  #receivedBytes = 0;
  #isAtEnd = false;
  #stallTimer: NodeJS.Timeout | undefined;
  #reader: PromiseWithResolvers<void> | undefined;
  #writer: PromiseWithResolvers<void> | undefined;
  #signal: AbortSignal | undefined;

  constructor(port: StreamPort) {
    this.name = port.name;
    this.#port = port;
  }

  /** Sends `data`; resolves when the connection can take more. */
  async write(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += STREAM_CHUNK_BYTES) {
      if (this.#state.kind !== "open") throw this.#notOpen("writing");
      const chunk = data.subarray(start, start + STREAM_CHUNK_BYTES);
      if (this.#port.send(FrameStatus.continue, chunk)) continue;
      this.#writer ??= Promise.withResolvers<void>();
      await this.#withDeadline(this.#writer.promise, "the daemon accepted no more data");
    }
  }

  /** Says that everything was written; resolves when the daemon confirms that it has it. */
  async finish(): Promise<void> {
    if (this.#state.kind === "finished") return;
    if (this.#state.kind !== "open") throw this.#notOpen("finishing");
    const confirmed = Promise.withResolvers<void>();
    this.#state = { kind: "finishing", confirmed };
    this.#port.send(FrameStatus.ok);
    await this.#withDeadline(confirmed.promise, "the daemon did not confirm the end");
  }

  /** Ends the stream at once, whatever is under way. Has no effect on one that is over. */
  abort(): void {
    this.#giveUp(new LibvirtError("aborted", `${this.name}: the stream was aborted`));
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  /** Reads until the daemon's data ends. Breaking off leaves the stream open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const chunk = this.#takeReceived();
      if (chunk) {
        yield chunk;
        continue;
      }
      if (this.#state.kind === "failed") throw this.#state.error;
      if (this.#isAtEnd) return;
      this.#reader ??= Promise.withResolvers<void>();
      await this.#reader.promise;
    }
  }

  /** For the connection: the daemon opened the stream, and it lasts until `signal` at most. */
  opened(signal: AbortSignal | undefined): void {
    if (this.#state.kind !== "open") return;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  /** For the connection: data arrived; none means that there will be no more. */
  receive(data: Buffer): void {
    if (data.length === 0) {
      this.#isAtEnd = true;
    } else {
      this.#received.push(data);
      this.#receivedBytes += data.length;
      if (this.#receivedBytes >= RECEIVE_HIGH_BYTES && !this.#stallTimer) this.#stall();
    }
    this.#wakeReader();
  }

  /** For the connection: the daemon confirmed the end. */
  confirm(): void {
    const before = this.#state;
    this.#end({ kind: "finished" });
    if (before.kind === "finishing") before.confirmed.resolve();
  }

  /** For the connection: the stream broke, or the connection did. */
  fail(error: LibvirtError): void {
    const before = this.#state;
    if (before.kind === "finished" || before.kind === "failed") return;
    this.#end({ kind: "failed", error });
    if (before.kind === "finishing") before.confirmed.reject(error);
  }

  /** For the connection: it can take more. */
  drained(): void {
    this.#writer?.resolve();
    this.#writer = undefined;
  }

  readonly #onAbort = (): void => {
    if (this.#signal) this.#giveUp(aborted(this.name, this.#signal));
  };

  #giveUp(error: LibvirtError): void {
    if (this.#state.kind === "finished" || this.#state.kind === "failed") return;
    this.#port.send(FrameStatus.error);
    this.fail(error);
  }

  #end(state: State): void {
    this.#state = state;
    this.#isAtEnd = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#unstall();
    this.#port.release();
    this.#wakeReader();
    if (state.kind === "failed") this.#writer?.reject(state.error);
    else this.#writer?.resolve();
    this.#writer = undefined;
  }

  #takeReceived(): Buffer | undefined {
    const chunk = this.#received.shift();
    if (chunk) this.#receivedBytes -= chunk.length;
    if (this.#receivedBytes <= RECEIVE_LOW_BYTES) this.#unstall();
    return chunk;
  }

  #stall(): void {
    this.#port.setReadable(false);
    this.#stallTimer = setTimeout(() => {
      this.#giveUp(
        new LibvirtError(
          "overloaded",
          `${this.name}: ${this.#receivedBytes} bytes were not read for ${STALL_LIMIT_MS} ms`,
        ),
      );
    }, STALL_LIMIT_MS);
  }

  #unstall(): void {
    if (!this.#stallTimer) return;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#port.setReadable(true);
  }

  #wakeReader(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }

  async #withDeadline(wait: Promise<void>, problem: string): Promise<void> {
    const { timeoutMs } = this.#port;
    const timer = setTimeout(() => {
      this.#giveUp(
        new LibvirtError("timed-out", `${this.name}: ${problem} within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    try {
      await wait;
    } finally {
      clearTimeout(timer);
    }
  }

  #notOpen(doing: string): LibvirtError {
    if (this.#state.kind === "failed") return this.#state.error;
    return new LibvirtError(
      "invalid-argument",
      `${this.name}: ${doing} a stream that is ${this.#state.kind}`,
    );
  }
}
