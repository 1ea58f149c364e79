import { type ByteStream, hasCode } from "@evm/libvirt";
import type { ConsoleSession } from "../driver.ts";
import { toDriverError } from "./failure.ts";

/** A terminal on a serial console, over one of libvirt's streams. */
export class LibvirtConsole implements ConsoleSession {
  readonly output: AsyncIterable<Uint8Array>;
  readonly #stream: ByteStream;
  readonly #signal: AbortSignal;

  constructor(stream: ByteStream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    this.output = this.#read();
  }

  async write(input: Uint8Array): Promise<void> {
    try {
      await this.#stream.write(input);
    } catch (error) {
      throw toDriverError("writing to a console", this.#signal, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.abort();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#stream;
    } catch (error) {
      // Either side has closed it: that is its end, not a failure.
      if (hasCode(error, "aborted")) return;
      throw toDriverError("reading a console", this.#signal, error);
    }
  }
}
