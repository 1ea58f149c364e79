import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LibvirtError } from "./error.ts";
import { readParameters } from "./structs.ts";
import { XdrReader } from "./xdr-reader.ts";
import { STRING_MAX_BYTES, XdrWriter } from "./xdr-writer.ts";

const write = (build: (writer: XdrWriter) => void): Buffer => {
  const writer = new XdrWriter();
  build(writer);
  return writer.finish();
};

const cString = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));

describe("what is written is read back", () => {
  test("for numbers of every width", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.maxSafeNat(), (int, uint, uhyper) => {
        const reader = new XdrReader(write((w) => w.int(int).uint(uint).uhyper(uhyper)));
        expect([reader.int(), reader.uint(), reader.uhyper()]).toEqual([int, uint, uhyper]);
        reader.expectEnd();
      }),
    );
  });

  test("for strings of any length, present or absent, and arrays of them", () => {
    fc.assert(
      fc.property(cString, fc.option(cString, { nil: undefined }), fc.array(cString), (a, b, c) => {
        const bytes = write((w) => {
          w.string(a)
            .optionalString(b)
            .array(c, (writer, item) => writer.string(item));
        });
        expect(bytes.length % 4).toBe(0);
        const reader = new XdrReader(bytes);
        expect(reader.string()).toBe(a);
        expect(reader.optionalString()).toBe(b);
        expect(reader.array((item) => item.string())).toEqual(c);
        reader.expectEnd();
      }),
    );
  });
});

test("bytes are padded with zeros, to a multiple of four", () => {
  expect(write((w) => w.string("web").uint(1)).toString("hex")).toBe("000000037765620000000001");
});

test("a flag in the highest bit is written as an unsigned word", () => {
  expect(write((w) => w.uint(1 << 31)).toString("hex")).toBe("80000000");
});

test("64-bit numbers beyond 2^53 are read as the nearest number", () => {
  const reader = new XdrReader(Buffer.from("ffffffffffffffffffffffffffffffff", "hex"));
  expect(reader.uhyper()).toBe(2 ** 64);
  expect(reader.hyper()).toBe(-1);
});

describe("writing refuses", () => {
  test.each([
    ["a string that the daemon would cut off at its NUL", (w: XdrWriter) => w.string("a\0b")],
    [
      "a string longer than the protocol's limit",
      (w: XdrWriter) => w.string("x".repeat(STRING_MAX_BYTES + 1)),
    ],
    ["a size that is negative", (w: XdrWriter) => w.uhyper(-1)],
    ["a size that a number cannot hold exactly", (w: XdrWriter) => w.uhyper(2 ** 53)],
  ])("%s", (_, build) => {
    expect(() => write(build)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });
});

describe("reading refuses", () => {
  const protocolError = expect.objectContaining({ code: "protocol" });

  test.each([
    ["a string longer than the payload", "00000008616263", (r: XdrReader) => r.string()],
    ["a string without its padding", "00000003616263", (r: XdrReader) => r.string()],
    ["a string beyond the protocol's limit", "7fffffff", (r: XdrReader) => r.string()],
    [
      "an array of more items than the payload can hold",
      "ffffffff00000000",
      (r: XdrReader) => r.array((item) => item.int()),
    ],
    [
      "an optional value that is neither there nor not",
      "00000002",
      (r: XdrReader) => r.optionalString(),
    ],
    ["a number beyond the end", "000000", (r: XdrReader) => r.int()],
    [
      "a typed parameter of an unknown type",
      "000000010000000161000000000000080000",
      readParameters,
    ],
    ["bytes left over", "00000000", (r: XdrReader) => r.expectEnd()],
  ])("%s", (_, hex, read) => {
    expect(() => read(new XdrReader(Buffer.from(hex, "hex")))).toThrow(protocolError);
  });

  test("any bytes as typed parameters only ever with a LibvirtError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readParameters(new XdrReader(Buffer.from(bytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(LibvirtError);
        }
      }),
    );
  });
});

test("typed parameters are read by type", () => {
  const bytes = write((w) => {
    w.uint(4);
    w.string("state.state").int(1).int(5);
    w.string("cpu.time")
      .int(4)
      .uhyper(2 ** 40);
    w.string("vm.idle").int(6).int(1);
    w.string("block.0.name").int(7).string("vda");
  });
  expect(Object.fromEntries(readParameters(new XdrReader(bytes)))).toEqual({
    "state.state": 5,
    "cpu.time": 2 ** 40,
    "vm.idle": true,
    "block.0.name": "vda",
  });
});
