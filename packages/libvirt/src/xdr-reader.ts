import { LibvirtError } from "./error.ts";
import { STRING_MAX_BYTES } from "./xdr-writer.ts";

/**
 * Reads XDR (RFC 4506) from one payload. Every length is checked against what is left, before
 * anything is allocated for it; a lie throws a LibvirtError `protocol`.
 */
export class XdrReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  boolean(): boolean {
    return this.int() !== 0;
  }

  /** A signed 64-bit integer; beyond ±2^53 the nearest number. */
  hyper(): number {
    const high = this.int();
    return high * 2 ** 32 + this.uint();
  }

  /** An unsigned 64-bit integer; beyond 2^53 the nearest number. */
  uhyper(): number {
    const high = this.uint();
    return high * 2 ** 32 + this.uint();
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  string(): string {
    const bytes = this.uint();
    if (bytes > STRING_MAX_BYTES) {
      throw new LibvirtError("protocol", `reading a string: it claims ${bytes} bytes`);
    }
    const start = this.#take(bytes);
    return this.#buffer.toString("utf8", start, start + bytes);
  }

  optional<Value>(read: (reader: XdrReader) => Value): Value | undefined {
    const present = this.uint();
    if (present > 1) {
      throw new LibvirtError("protocol", `reading an optional value: its mark is ${present}`);
    }
    return present === 1 ? read(this) : undefined;
  }

  optionalString(): string | undefined {
    return this.optional((reader) => reader.string());
  }

  /** Bytes whose number both sides know; a view, not a copy. */
  fixedOpaque(bytes: number): Buffer {
    const start = this.#take(bytes);
    return this.#buffer.subarray(start, start + bytes);
  }

  array<Item>(read: (reader: XdrReader) => Item): Item[] {
    const count = this.uint();
    // No item of this protocol takes less than four bytes, so a count beyond that is a lie.
    if (count * 4 > this.remaining) {
      throw new LibvirtError(
        "protocol",
        `reading an array: it claims ${count} items, but ${this.remaining} bytes are left`,
      );
    }
    const items: Item[] = [];
    for (let index = 0; index < count; index += 1) items.push(read(this));
    return items;
  }

  /** Insists that everything was read: left-over bytes mean that the two sides disagree. */
  expectEnd(): void {
    if (this.remaining > 0) {
      throw new LibvirtError(
        "protocol",
        `reading a payload: ${this.remaining} bytes are left over`,
      );
    }
  }

  // Advances over `bytes` and their padding; returns where the bytes start.
  #take(bytes: number): number {
    const padded = Math.ceil(bytes / 4) * 4;
    if (padded > this.remaining) {
      throw new LibvirtError(
        "protocol",
        `reading ${bytes} bytes: only ${this.remaining} are left of the payload`,
      );
    }
    const start = this.#offset;
    this.#offset += padded;
    return start;
  }
}
