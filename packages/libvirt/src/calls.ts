// Calls between their start and their outcome: a window of those that the daemon works on, and a
// queue of those that wait for a place in it.
//
// Invariants: (1) a promise is settled exactly once, by the reply, the deadline, the caller's
// signal, or the end of the connection; (2) a call that was sent keeps its place in the window
// until the daemon answers, even if nobody waits for it any more, for the daemon counts it too;
// (3) a call that was given up before it was sent is never sent.

import { aborted, LibvirtError } from "./error.ts";
import { type Frame, FrameStatus } from "./frame.ts";
import { readDomain, readNamed } from "./structs.ts";
import { XdrReader } from "./xdr-reader.ts";

/**
 * Calls that may wait for a place in the window. Thousands are normal when a whole host is
 * started; beyond that the caller does not look at the outcome any more.
 */
export const QUEUE_LIMIT = 16_384;

/** One call, ready to be sent. */
export interface Call<Reply> {
  readonly serial: number;
  /** What the errors say was being done. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly decode: (reader: XdrReader) => Reply;
  /** Called for a successful reply that nobody waits for any more. */
  readonly onLateReply?: () => void;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

interface Pending {
  readonly bytes: Buffer;
  readonly answer: (frame: Frame) => void;
  readonly fail: (error: LibvirtError) => void;
}

export class Calls {
  readonly #windowSize: number;
  readonly #send: (bytes: Buffer) => void;
  // By serial. A Map keeps the order of insertion, so this is also the queue.
  readonly #waiting = new Map<number, Pending>();
  readonly #sent = new Map<number, Pending>();

  constructor(windowSize: number, send: (bytes: Buffer) => void) {
    this.#windowSize = windowSize;
    this.#send = send;
  }

  start<Reply>(call: Call<Reply>): Promise<Reply> {
    const { serial, name, signal } = call;
    if (signal?.aborted) return Promise.reject(aborted(name, signal));
    if (this.#waiting.size >= QUEUE_LIMIT) {
      return Promise.reject(
        new LibvirtError("overloaded", `${name}: ${QUEUE_LIMIT} calls wait already`),
      );
    }
    return new Promise((resolve, reject) => {
      let isAwaited = true;
      const settle = () => {
        isAwaited = false;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: LibvirtError) => {
        if (!isAwaited) return;
        settle();
        reject(error);
      };
      const giveUp = (error: LibvirtError) => {
        this.#waiting.delete(serial);
        fail(error);
      };
      const onAbort = () => signal && giveUp(aborted(name, signal));
      const timer = setTimeout(() => {
        const phase = this.#sent.has(serial) ? "no reply" : "no place in the window of calls";
        giveUp(new LibvirtError("timed-out", `${name}: ${phase} within ${call.timeoutMs} ms`));
      }, call.timeoutMs);
      signal?.addEventListener("abort", onAbort);

      const answer = (frame: Frame) => {
        if (!isAwaited) {
          if (frame.status === FrameStatus.ok) call.onLateReply?.();
          return;
        }
        settle();
        try {
          resolve(decodeReply(call, frame));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.set(serial, { bytes: call.bytes, answer, fail });
      this.#fillWindow();
    });
  }

  /** Hands a reply to its call. Throws a LibvirtError `protocol` when there is none. */
  settle(frame: Frame): void {
    const pending = this.#sent.get(frame.serial);
    if (!pending) {
      throw new LibvirtError("protocol", `reading a reply: no call has serial ${frame.serial}`);
    }
    this.#sent.delete(frame.serial);
    pending.answer(frame);
    this.#fillWindow();
  }

  /** Fails every call, sent or not. */
  end(error: LibvirtError): void {
    const all = [...this.#sent.values(), ...this.#waiting.values()];
    this.#sent.clear();
    this.#waiting.clear();
    for (const pending of all) pending.fail(error);
  }

  #fillWindow(): void {
    for (const [serial, pending] of this.#waiting) {
      if (this.#sent.size >= this.#windowSize) return;
      this.#waiting.delete(serial);
      this.#sent.set(serial, pending);
      this.#send(pending.bytes);
    }
  }
}

function decodeReply<Reply>(call: Call<Reply>, frame: Frame): Reply {
  const reader = new XdrReader(frame.payload);
  try {
    if (frame.status === FrameStatus.ok) {
      const reply = call.decode(reader);
      reader.expectEnd();
      return reply;
    }
    throw readError(call.name, reader);
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== "protocol") throw error;
    throw new LibvirtError("protocol", `${call.name}: ${error.message}`, { cause: error });
  }
}

/** Reads a `remote_error`: what the daemon says about `doing`. */
export function readError(doing: string, reader: XdrReader): LibvirtError {
  const code = reader.int();
  const domain = reader.int();
  const message = reader.optionalString() ?? "the daemon gave no message";
  const level = reader.int();
  // The rest repeats parts of the message, or is unused; it is read to be checked.
  reader.optional(readDomain);
  for (let text = 0; text < 3; text += 1) reader.optionalString();
  reader.int();
  reader.int();
  reader.optional(readNamed);
  reader.expectEnd();
  return LibvirtError.fromDaemon(doing, { code, domain, level, message });
}
