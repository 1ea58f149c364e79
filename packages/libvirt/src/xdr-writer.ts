import { LibvirtError } from "./error.ts";

/** REMOTE_STRING_MAX: a daemon refuses longer strings. */
export const STRING_MAX_BYTES = 4 * 1024 * 1024;

// Most requests are a domain (about 60 bytes) and some flags.
const INITIAL_BYTES = 256;

/** Writes XDR (RFC 4506): big-endian, every item padded to four bytes. */
export class XdrWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written. The writer must not be used afterwards. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  int(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
    return this;
  }

  /** Also takes the negative number that `1 << 31` is in JavaScript. */
  uint(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value >>> 0, this.#length);
    return this;
  }

  /** An unsigned 64-bit integer, from a safe integer. */
  uhyper(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new LibvirtError("invalid-argument", `writing a size: ${value} is no safe integer ≥ 0`);
    }
    return this.uint(Math.floor(value / 2 ** 32)).uint(value % 2 ** 32);
  }

  string(value: string): this {
    const bytes = Buffer.byteLength(value);
    if (bytes > STRING_MAX_BYTES) {
      throw new LibvirtError(
        "invalid-argument",
        `writing a string: ${bytes} bytes are more than libvirt's ${STRING_MAX_BYTES}`,
      );
    }
    // The daemon reads C strings: it would act on the part before the NUL.
    if (value.includes("\0")) {
      throw new LibvirtError("invalid-argument", "writing a string: it contains a NUL character");
    }
    this.uint(bytes);
    const start = this.#pad(bytes);
    this.#buffer.write(value, start);
    return this;
  }

  optionalString(value: string | undefined): this {
    return value === undefined ? this.uint(0) : this.uint(1).string(value);
  }

  /** Bytes whose number both sides know. */
  fixedOpaque(bytes: Uint8Array): this {
    const start = this.#pad(bytes.length);
    this.#buffer.set(bytes, start);
    return this;
  }

  array<Item>(items: readonly Item[], write: (writer: XdrWriter, item: Item) => void): this {
    this.uint(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  /** Overwrites four bytes at `offset`, for a length that is known last. */
  patchUint(offset: number, value: number): void {
    this.#buffer.writeUInt32BE(value, offset);
  }

  // Makes room for `bytes` and their zero padding; returns where the bytes go.
  #pad(bytes: number): number {
    const padded = (bytes + 3) & ~3;
    this.#reserve(padded);
    const start = this.#length;
    this.#buffer.fill(0, start + bytes, start + padded);
    this.#length += padded;
    return start;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, needed));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
