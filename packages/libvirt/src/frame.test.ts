import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LibvirtError } from "./error.ts";
import {
  encodeFrame,
  encodeStreamData,
  FRAME_MAX_BYTES,
  FRAME_MIN_BYTES,
  type Frame,
  FrameSplitter,
  FrameStatus,
  FrameType,
  Program,
} from "./frame.ts";

const header = (serial: number) => ({
  program: Program.remote,
  procedure: 23,
  type: FrameType.reply,
  serial,
  status: FrameStatus.ok,
});

/** Splits `bytes` as if they arrived cut at `cuts`. */
function split(bytes: Buffer, cuts: readonly number[]): Frame[] {
  const splitter = new FrameSplitter();
  const frames: Frame[] = [];
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((a, b) => a - b);
  for (const [index, edge] of edges.entries()) {
    splitter.push(bytes.subarray(edge, edges[index + 1]), (frame) => frames.push(frame));
  }
  return frames;
}

const lengthWord = (length: number): Buffer => {
  const bytes = Buffer.alloc(FRAME_MIN_BYTES);
  bytes.writeUInt32BE(length, 0);
  return bytes;
};

test("frames are the same however their bytes arrive", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(payloads, fc.array(fc.nat(3000)), (parts, cuts) => {
      const bytes = Buffer.concat(
        parts.map((part, serial) => encodeStreamData(header(serial), part)),
      );
      const frames = split(bytes, cuts);
      expect(frames.map((frame) => frame.serial)).toEqual(parts.map((_, serial) => serial));
      expect(frames.map((frame) => [...frame.payload])).toEqual(parts.map((part) => [...part]));
    }),
  );
});

test("any bytes give frames within what was received, or a protocol error", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), (chunks) => {
      const splitter = new FrameSplitter();
      const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      let delivered = 0;
      try {
        for (const chunk of chunks) {
          splitter.push(Buffer.from(chunk), (frame) => {
            delivered += FRAME_MIN_BYTES + frame.payload.length;
          });
        }
      } catch (error) {
        expect(error).toBeInstanceOf(LibvirtError);
      }
      expect(delivered).toBeLessThanOrEqual(total);
    }),
  );
});

describe("a frame that lies about its length is refused", () => {
  test.each([
    ["shorter than its own header", FRAME_MIN_BYTES - 1],
    ["longer than the protocol allows", FRAME_MAX_BYTES + 1],
    ["of no length at all", 0],
  ])("%s", (_, length) => {
    const splitter = new FrameSplitter();
    expect(() => splitter.push(lengthWord(length), () => {})).toThrow(
      expect.objectContaining({ code: "protocol", isTransient: false }),
    );
  });

  test("and nothing that follows it is delivered", () => {
    const splitter = new FrameSplitter();
    const frames: Frame[] = [];
    const deliver = (frame: Frame) => frames.push(frame);
    expect(() => splitter.push(lengthWord(3), deliver)).toThrow();
    splitter.push(encodeFrame(header(1)), deliver);
    expect(frames).toEqual([]);
  });
});

test("a frame of the greatest length is waited for, not delivered before it is whole", () => {
  const splitter = new FrameSplitter();
  const frames: Frame[] = [];
  splitter.push(lengthWord(FRAME_MAX_BYTES), (frame) => frames.push(frame));
  expect(frames).toEqual([]);
});

test("a request beyond the greatest length is refused before it is sent", () => {
  const text = "x".repeat(4 * 1024 * 1024);
  const encode = () =>
    encodeFrame(header(1), (writer) => {
      writer.array(
        Array.from({ length: 9 }, () => text),
        (w, item) => w.string(item),
      );
    });
  expect(encode).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});
