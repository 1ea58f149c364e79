/**
 * Base files, and how I9 is kept: "a base is verified against its digest before an overlay is made
 * on it, and never written to".
 *
 * A base enters `bases/` by a rename, after its bytes were hashed and synced, and is read-only
 * from then on. Beside it lies a stamp with the size, modification time and inode number that it
 * had when it was hashed. A stamp that still agrees proves that nothing has written to, cut, or
 * replaced the file by ordinary means since; then it is not hashed again. It does not prove that
 * the disk returns the bytes it was given, nor that root has not set the time back. Whatever has
 * no stamp that agrees is hashed in full before it is used. (The time of the last status change
 * would say more, but libvirt changes the owner of the files that it opens, and with it that time.)
 */
import { createHash } from "node:crypto";
import { chmod, lstat, readFile, rm, writeFile } from "node:fs/promises";
import type { Artifact } from "@evm/fleet";
import { moveDurably } from "./durable.ts";
import { hasCode } from "./image-error.ts";
import { hashFile } from "./partial-file.ts";

const READ_ONLY = 0o444;
const stampPath = (path: string): string => `${path}.stamp`;

export async function exists(path: string): Promise<boolean> {
  return (await stampOf(path)) !== undefined;
}

/** True where the base is there and has not changed since it was verified. */
export async function isVerified(path: string): Promise<boolean> {
  const [actual, stamp] = await Promise.all([
    stampOf(path),
    readFile(stampPath(path), "utf8").catch(() => undefined),
  ]);
  return actual !== undefined && actual === stamp;
}

/**
 * Hashes the base in full and stamps it; false where it is not the artifact (any more). A wrong
 * one is removed: what is fetched again under its name is what overlays on it were made on, and
 * a VM that runs keeps the file that it has open.
 */
export async function verifyBase(
  path: string,
  artifact: Artifact,
  options: { signal: AbortSignal; onProgress: (doneBytes: number) => void },
): Promise<boolean> {
  const before = await stampOf(path);
  if (before === undefined) return false;
  const hash = createHash("sha256");
  // One byte more than expected: a longer file is a wrong file.
  await hashFile(path, hash, { ...options, length: artifact.sizeBytes + 1 });
  if (`sha256:${hash.digest("hex")}` !== artifact.digest) {
    await removeBase(path);
    return false;
  }
  await chmod(path, READ_ONLY);
  await writeFile(stampPath(path), before);
  return true;
}

/** Turns a complete, verified and synced partial file into a base. */
export async function installBase(partial: string, path: string): Promise<void> {
  await moveDurably(partial, path);
  // After the rename: a partial file that is read-only could not be gone on with.
  await chmod(path, READ_ONLY);
  const stamp = await stampOf(path);
  if (stamp !== undefined) await writeFile(stampPath(path), stamp);
}

/** Removes the stamp first: a base without one is verified again. */
export async function removeBase(path: string): Promise<void> {
  await rm(stampPath(path), { force: true });
  await rm(path, { force: true });
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    return stats.isFile() ? `${stats.size} ${stats.mtimeNs} ${stats.ino}\n` : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
