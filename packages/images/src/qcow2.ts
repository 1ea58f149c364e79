/** The little of the qcow2 format that EVM reads itself. Source: QEMU's docs/interop/qcow2.txt. */

/** `"QFI\xfb"` */
const MAGIC = 0x51_46_49_fb;

/** Bit 2 of the incompatible features: the data lie in a file of their own. */
const EXTERNAL_DATA = 4n;

/** So many bytes at the start of an image are enough for `readQcow2Header`. */
export const QCOW2_HEADER_BYTES = 80;

export type Qcow2Header = {
  readonly virtualBytes: number;
  /** Whether opening the image opens other files, whichever it names. */
  readonly hasOtherFiles: boolean;
};

/** Undefined where the bytes are not the start of a qcow2 image. */
export function readQcow2Header(bytes: Buffer): Qcow2Header | undefined {
  if (bytes.length < QCOW2_HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) return undefined;
  const version = bytes.readUInt32BE(4);
  const hasBackingFile = bytes.readBigUInt64BE(8) !== 0n;
  const features = version >= 3 ? bytes.readBigUInt64BE(72) : 0n;
  return {
    hasOtherFiles: hasBackingFile || (features & EXTERNAL_DATA) !== 0n,
    virtualBytes: Number(bytes.readBigUInt64BE(24)),
  };
}
