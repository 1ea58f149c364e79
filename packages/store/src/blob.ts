/** Blobs are checked on their way: against their digest and their limit. */
import { createHash } from "node:crypto";
import type { Digest } from "@evm/fleet";
import { MAX_BLOB_BYTES, StoreError } from "./store.ts";

/** Passes content through; throws where it is too large or, at its end, not the digest's. */
export async function* verified(
  digest: Digest,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const bytes of content) {
    size += bytes.length;
    if (size > MAX_BLOB_BYTES) {
      const text = `blob ${digest}: larger than the limit of ${MAX_BLOB_BYTES} bytes`;
      throw new StoreError("tooLarge", text);
    }
    hash.update(bytes);
    yield bytes;
  }
  const actual = `sha256:${hash.digest("hex")}`;
  if (actual !== digest) {
    throw new StoreError("corrupt", `blob ${digest}: the content has digest ${actual}`);
  }
}
