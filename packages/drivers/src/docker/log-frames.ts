/**
 * Takes apart what Docker makes of a container's stdout and stderr: frames of 8 bytes of header
 * (kind, three zeroes, length in big-endian) and text. Source: Docker Engine API, ContainerAttach.
 */
import { DriverError } from "../driver.ts";

const HEADER_BYTES = 8;
/** 0 stdin, 1 stdout, 2 stderr; the daemon itself tells of errors by 3. */
const MAX_KIND = 3;

/** The text of all frames, in order. Never holds more than a header. */
export async function* unframe(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let header = Buffer.alloc(0);
  let left = 0;
  for await (const piece of pieces) {
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    while (rest.length > 0) {
      if (left === 0) {
        const wanted = HEADER_BYTES - header.length;
        header = Buffer.concat([header, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (header.length < HEADER_BYTES) break;
        left = lengthIn(header);
        header = Buffer.alloc(0);
        continue;
      }
      const text = rest.subarray(0, left);
      left -= text.length;
      rest = rest.subarray(text.length);
      yield text;
    }
  }
}

function lengthIn(header: Buffer): number {
  const [kind = 0, ...zeroes] = header.subarray(0, 4);
  if (kind > MAX_KIND || zeroes.some((byte) => byte !== 0)) {
    const bytes = header.toString("hex");
    throw new DriverError("failed", `reading a log: Docker sent no frame header: ${bytes}`);
  }
  return header.readUInt32BE(4);
}
