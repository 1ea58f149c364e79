// The framing of libvirt's RPC (virnetprotocol.x): a length, six header words, a payload. Pure.

import { LibvirtError } from "./error.ts";
import { XdrWriter } from "./xdr-writer.ts";

const LENGTH_BYTES = 4;

/** The length word and the header: no frame is shorter. */
export const FRAME_MIN_BYTES = LENGTH_BYTES + 24;

/** VIR_NET_MESSAGE_MAX, which does not count the length word itself. */
export const FRAME_MAX_BYTES = LENGTH_BYTES + 32 * 1024 * 1024;

/** Most stream bytes in one frame: the payload that every version of the daemon accepts. */
export const STREAM_CHUNK_BYTES = 262_120;

/** The programs that share a connection. */
export const Program = { remote: 0x20008086, keepalive: 0x6b656570 } as const;

/** Every program is at its first version. */
export const PROGRAM_VERSION = 1;

/** virNetMessageType, as far as this client speaks it: it passes no file descriptors. */
export const FrameType = { call: 0, reply: 1, message: 2, stream: 3 } as const;

/** virNetMessageStatus. */
export const FrameStatus = { ok: 0, error: 1, continue: 2 } as const;

export interface FrameHeader {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
}

export interface Frame extends FrameHeader {
  readonly version: number;
  /** A view of what was received, not a copy. */
  readonly payload: Buffer;
}

/** The bytes of one frame, with the payload that `write` writes. */
export function encodeFrame(header: FrameHeader, write?: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  writer.uint(0).uint(header.program).uint(PROGRAM_VERSION).int(header.procedure);
  writer.int(header.type).uint(header.serial).int(header.status);
  write?.(writer);
  if (writer.length > FRAME_MAX_BYTES) {
    throw new LibvirtError(
      "invalid-argument",
      `encoding a frame: ${writer.length} bytes are more than libvirt's ${FRAME_MAX_BYTES}`,
    );
  }
  writer.patchUint(0, writer.length);
  return writer.finish();
}

/** One frame of stream data: header and bytes. The bytes are not XDR: they are not padded. */
export function encodeStreamData(header: FrameHeader, data: Uint8Array): Buffer {
  const head = encodeFrame(header);
  head.writeUInt32BE(FRAME_MIN_BYTES + data.length, 0);
  return Buffer.concat([head, data]);
}

/**
 * Cuts received bytes into frames, however they arrive.
 *
 * Invariants: (1) no byte is copied more than once; (2) what is held never exceeds one frame and
 * the chunk that completed it; (3) after a lie about a length it delivers nothing more.
 */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = FRAME_MIN_BYTES;

  /** Delivers every frame that `chunk` completes. Throws a LibvirtError `protocol` on a lie. */
  push(chunk: Buffer, deliver: (frame: Frame) => void): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;

    const [first] = this.#chunks;
    let rest = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#held);
    this.#needed = FRAME_MIN_BYTES;
    while (rest.length >= FRAME_MIN_BYTES) {
      const length = rest.readUInt32BE(0);
      if (length < FRAME_MIN_BYTES || length > FRAME_MAX_BYTES) {
        this.#needed = Number.POSITIVE_INFINITY;
        throw new LibvirtError(
          "protocol",
          `reading a frame: it claims a length of ${length} bytes`,
        );
      }
      if (rest.length < length) {
        this.#needed = length;
        break;
      }
      const frame = decodeFrame(rest.subarray(0, length));
      rest = rest.subarray(length);
      deliver(frame);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
  }
}

function decodeFrame(bytes: Buffer): Frame {
  return {
    program: bytes.readUInt32BE(4),
    version: bytes.readUInt32BE(8),
    procedure: bytes.readInt32BE(12),
    type: bytes.readInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readInt32BE(24),
    payload: bytes.subarray(FRAME_MIN_BYTES),
  };
}
