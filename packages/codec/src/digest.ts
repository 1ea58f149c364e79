/** Digests of content: equal content, equal digest, whatever the order of keys. */
import { createHash } from "node:crypto";
import { type Digest, type Image, isDigest, type Template } from "@evm/fleet";

/** Identifies what an instance is made from; instances of another digest are replaced. */
export const templateDigest = (template: Template, image: Image | undefined): Digest =>
  sha256(canonicalJson({ template, image }));

/** @returns `sha256:<hex>` of the content */
export function sha256(content: string | Uint8Array): Digest {
  const text = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (!isDigest(text)) throw new TypeError(`digest: ${text} is not one`);
  return text;
}

/** JSON with sorted keys and without what is undefined. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    isRecord(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
