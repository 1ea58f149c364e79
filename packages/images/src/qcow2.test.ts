import { expect, test } from "vitest";
import { QCOW2_HEADER_BYTES, readQcow2Header } from "./qcow2.ts";

function header(fields: { backing?: bigint; features?: bigint; version?: number }): Buffer {
  const bytes = Buffer.alloc(QCOW2_HEADER_BYTES);
  bytes.write("QFI\xfb", "latin1");
  bytes.writeUInt32BE(fields.version ?? 3, 4);
  bytes.writeBigUInt64BE(fields.backing ?? 0n, 8);
  bytes.writeBigUInt64BE(10n << 30n, 24);
  bytes.writeBigUInt64BE(fields.features ?? 0n, 72);
  return bytes;
}

test("the virtual size is read from the header", () => {
  const expected = { virtualBytes: 10 * 2 ** 30, hasOtherFiles: false };
  expect(readQcow2Header(header({}))).toEqual(expected);
});

test("backing files and external data files are seen", () => {
  expect(readQcow2Header(header({ backing: 512n }))?.hasOtherFiles).toBe(true);
  expect(readQcow2Header(header({ features: 4n }))?.hasOtherFiles).toBe(true);
  expect(readQcow2Header(header({ features: 4n, version: 2 }))?.hasOtherFiles).toBe(false);
});

test("anything else is not qcow2", () => {
  expect(readQcow2Header(Buffer.from("QFI\xfb", "latin1"))).toBeUndefined();
  expect(readQcow2Header(Buffer.alloc(QCOW2_HEADER_BYTES))).toBeUndefined();
});
