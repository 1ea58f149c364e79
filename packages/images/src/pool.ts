/**
 * What lies where on a pool:
 *
 *     bases/<hex>            verified, read-only artifacts       (base.ts)
 *     partial/<hex>          downloads that are not complete     (partial-file.ts)
 *     overlays/<name>/       everything of one incarnation: disk.qcow2, seed, console log
 *     overlays/<name>/needs  digests of the artifacts that it is made of, one a line
 */
import { mkdir, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Artifact, type Digest, isDigest } from "@evm/fleet";
import type { Pool } from "./cache.ts";
import { writeDurably } from "./durable.ts";
import { hasCode, ImageError } from "./image-error.ts";

/** As runtime names are: no separator, no hidden file, nothing that leaves the folder. */
const OVERLAY_NAME = /^[a-z0-9][a-z0-9.-]{0,127}$/;
const HEX = /^[0-9a-f]{64}$/;

export const basePath = (pool: Pool, digest: Digest): string =>
  join(pool.path, "bases", hexOf(digest));

export const partialPath = (pool: Pool, digest: Digest): string =>
  join(pool.path, "partial", hexOf(digest));

export function overlayFolder(pool: Pool, name: string): string {
  if (!OVERLAY_NAME.test(name)) {
    throw new ImageError("invalid", `naming an overlay "${name}": expected a-z, 0-9, "." and "-"`);
  }
  return join(pool.path, "overlays", name);
}

export const diskPath = (pool: Pool, name: string): string =>
  join(overlayFolder(pool, name), "disk.qcow2");

/** A pool that is not mounted must not be taken for an empty one: its disks would seem gone. */
export async function requirePool(pool: Pool): Promise<void> {
  try {
    await stat(pool.path);
  } catch (error) {
    const text = `looking at pool ${pool.name}: ${pool.path} cannot be read; is its disk mounted?`;
    throw new ImageError("unavailable", text, { cause: error });
  }
}

/** Makes the folder of bases and that of partial downloads. */
export async function makeFolders(pool: Pool): Promise<void> {
  await requirePool(pool);
  await mkdir(join(pool.path, "bases"), { recursive: true });
  await mkdir(join(pool.path, "partial"), { recursive: true });
}

/** Makes the folder of an overlay, and notes what it needs before it needs it. */
export async function makeOverlayFolder(
  pool: Pool,
  name: string,
  artifacts: readonly Artifact[],
): Promise<void> {
  const folder = overlayFolder(pool, name);
  await mkdir(folder, { recursive: true });
  const digests = artifacts.map((artifact) => artifact.digest);
  await writeDurably(join(folder, "needs"), `${digests.join("\n")}\n`);
}

export const removeOverlayFolder = (pool: Pool, name: string): Promise<void> =>
  rm(overlayFolder(pool, name), { recursive: true, force: true });

/** Of the file system below the pool; what only root may use does not count as free. */
export async function spaceOf(pool: Pool): Promise<{ totalBytes: number; freeBytes: number }> {
  const { bsize, blocks, bavail } = await statfs(pool.path);
  return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
}

/** Every artifact cached here, verified or not. */
export async function cachedDigests(pool: Pool): Promise<readonly Digest[]> {
  const names = await namesIn(join(pool.path, "bases"));
  return names
    .filter((name) => HEX.test(name))
    .map((hex) => `sha256:${hex}`)
    .filter(isDigest);
}

/** Whether any overlay on the pool is made of this artifact. */
export async function isNeeded(pool: Pool, digest: Digest): Promise<boolean> {
  const folder = join(pool.path, "overlays");
  for (const name of await namesIn(folder)) {
    // What cannot be read may need it: only a folder without a note does not.
    const needs = await readFile(join(folder, name, "needs"), "utf8").catch(ifMissing);
    if (needs?.split("\n").includes(digest)) return true;
  }
  return false;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(ifMissing)) ?? [];
}

function ifMissing(error: unknown): undefined {
  if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
  throw error;
}

function hexOf(digest: Digest): string {
  if (!isDigest(digest)) throw new ImageError("invalid", `"${digest}" is not a digest`);
  return digest.slice("sha256:".length);
}
