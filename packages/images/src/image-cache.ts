import { open, rm } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { type Artifact, artifactsOf, type Digest, type PoolStatus } from "@evm/fleet";
import { exists, installBase, isVerified, removeBase, verifyBase } from "./base.ts";
import type { EnsureOptions, ImageCache, OverlayRequest, Pool } from "./cache.ts";
import { DEFAULT_LIMITS, type DownloadLimits, download } from "./download.ts";
import { moveDurably } from "./durable.ts";
import { ImageError, toImageError } from "./image-error.ts";
import { PartialFile } from "./partial-file.ts";
import * as layout from "./pool.ts";
import { QCOW2_HEADER_BYTES, readQcow2Header } from "./qcow2.ts";
import { SingleFlight } from "./single-flight.ts";
import type { Fetch } from "./source.ts";
import { runTool } from "./tool.ts";

export type ImageCacheOptions = {
  /** At least one; their folders exist, as absolute paths. One process at a time uses them. */
  readonly pools: readonly Pool[];
  readonly fetch: Fetch;
  /** Between 0 and 1: jitter of retries. */
  readonly random: () => number;
  readonly limits?: DownloadLimits;
};

/** A cache on the pools of this host. Makes nothing until it is asked for something. */
export const createImageCache = (options: ImageCacheOptions): ImageCache =>
  new PoolImageCache(options);

type Placed = { readonly pool: Pool; readonly path: string };
type BytesDone = { doneBytes: number; totalBytes: number };

const MIB = 1 << 20;

class PoolImageCache implements ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #pools: readonly Pool[];
  readonly #bases = new SingleFlight<Placed, BytesDone>();
  readonly #overlays = new SingleFlight<string, BytesDone>();
  /** Digests that overlays in the making are made of: not noted on the disk yet. */
  readonly #pins: Digest[] = [];
  readonly #evictions = new Map<Digest, Promise<boolean>>();

  constructor(options: ImageCacheOptions) {
    if (options.pools.length === 0) throw new RangeError("making an image cache: no pools");
    for (const { name, path } of options.pools) {
      // Overlays name their base by its path, wherever they are opened from.
      if (!isAbsolute(path)) throw new RangeError(`pool ${name}: ${path} is not an absolute path`);
    }
    this.#options = options;
    this.#pools = options.pools;
  }

  async ensure(artifact: Artifact, options: EnsureOptions): Promise<string> {
    return (await this.#ensureOn(this.#pools, artifact, options)).path;
  }

  async createOverlay(request: OverlayRequest, options: EnsureOptions): Promise<string> {
    const digests = artifactsOf(request.image).map((artifact) => artifact.digest);
    this.#pins.push(...digests);
    try {
      return await this.#overlays.join(request.name, options, (shared) =>
        this.#makeOverlay(request, shared).catch((error: unknown) => {
          throw toImageError(`making the disk of ${request.name}`, error);
        }),
      );
    } finally {
      for (const digest of digests) this.#pins.splice(this.#pins.indexOf(digest), 1);
    }
  }

  async removeOverlay(name: string): Promise<void> {
    for (const pool of this.#pools) {
      try {
        await layout.requirePool(pool);
        await layout.removeOverlayFolder(pool, name);
      } catch (error) {
        throw toImageError(`removing the disk of ${name} from pool ${pool.name}`, error);
      }
    }
  }

  async status(): Promise<readonly PoolStatus[]> {
    return await Promise.all(this.#pools.map(statusOf));
  }

  async evict(digest: Digest): Promise<boolean> {
    const running = this.#evictions.get(digest);
    if (running !== undefined) return await running;
    const eviction = this.#evict(digest)
      .catch((error: unknown) => {
        throw toImageError(`evicting ${digest}`, error);
      })
      .finally(() => this.#evictions.delete(digest));
    this.#evictions.set(digest, eviction);
    return await eviction;
  }

  async #evict(digest: Digest): Promise<boolean> {
    for (const pool of this.#pools) {
      await layout.requirePool(pool);
      if (await layout.isNeeded(pool, digest)) return false;
    }
    // What began since the overlays were looked at; what begins after waits for this eviction.
    if (this.#pins.includes(digest) || this.#bases.has(digest)) return false;
    for (const pool of this.#pools) await removeBase(layout.basePath(pool, digest));
    return true;
  }

  /** A verified artifact on one of `pools`; where it is missing, on the one with the most room. */
  async #ensureOn(
    pools: readonly Pool[],
    artifact: Artifact,
    options: EnsureOptions,
  ): Promise<Placed> {
    for (;;) {
      // Whether it succeeds is a matter of who asked for it.
      await this.#evictions.get(artifact.digest)?.catch(() => false);
      const placed = await this.#bases.join(artifact.digest, options, (shared) =>
        this.#place(pools, artifact, shared).catch((error: unknown) => {
          throw toImageError(`caching ${artifact.url}`, error);
        }),
      );
      // A flight that others began may have ended on a pool that is not one of these.
      if (pools.includes(placed.pool)) return placed;
    }
  }

  async #place(
    pools: readonly Pool[],
    artifact: Artifact,
    options: EnsureOptions,
  ): Promise<Placed> {
    const { digest, sizeBytes } = artifact;
    const onProgress = (doneBytes: number) =>
      options.onProgress({ doneBytes, totalBytes: sizeBytes });
    for (const pool of pools) await layout.makeFolders(pool);
    for (const pool of pools) {
      const path = layout.basePath(pool, digest);
      if (await isVerified(path)) return { pool, path };
      const { signal } = options;
      if (await verifyBase(path, artifact, { signal, onProgress })) return { pool, path };
    }
    const pool = await poolFor(artifact, pools);
    const path = layout.basePath(pool, digest);
    const partial = layout.partialPath(pool, digest);
    await download(artifact, partial, { limits: DEFAULT_LIMITS, ...this.#options, ...options });
    await installBase(partial, path);
    await PartialFile.remove(partial);
    return { pool, path };
  }

  async #makeOverlay(request: OverlayRequest, options: EnsureOptions): Promise<string> {
    const { image, name } = request;
    const home = await this.#poolOf(name);
    // Also for an overlay that is there: it is of no use without a verified base below it.
    const base = await this.#ensureOn(
      home === undefined ? this.#pools : [home],
      image.disk,
      options,
    );
    const path = layout.diskPath(base.pool, name);
    if (home !== undefined) return path;
    const bytes = Math.max(
      request.diskMib * MIB,
      await virtualBytesOf(base.path, image.diskFormat),
    );
    await layout.makeOverlayFolder(base.pool, name, artifactsOf(image));
    const temporary = `${path}.new`;
    try {
      const chain = ["-b", base.path, "-F", image.diskFormat];
      const args = ["create", "-q", "-f", "qcow2", ...chain, temporary, String(bytes)];
      await runTool("qemu-img", args, options.signal);
      await moveDurably(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return path;
  }

  /** The pool that holds the overlay of this name, if there is one. */
  async #poolOf(name: string): Promise<Pool | undefined> {
    for (const pool of this.#pools) {
      await layout.requirePool(pool);
      if (await exists(layout.diskPath(pool, name))) return pool;
    }
    return undefined;
  }
}

/** The pool that has a partial download already, else the one with the most room. */
async function poolFor(artifact: Artifact, pools: readonly Pool[]): Promise<Pool> {
  let best: { pool: Pool; freeBytes: number } | undefined;
  for (const pool of pools) {
    if (await exists(layout.partialPath(pool, artifact.digest))) return pool;
    const { freeBytes } = await layout.spaceOf(pool);
    if (best === undefined || freeBytes > best.freeBytes) best = { pool, freeBytes };
  }
  if (best === undefined || best.freeBytes < artifact.sizeBytes) {
    const room = `${artifact.sizeBytes} bytes needed, ${best?.freeBytes ?? 0} free`;
    throw new ImageError("exhausted", `fetching ${artifact.url}: no pool has room: ${room}`);
  }
  return best.pool;
}

/** A pool that cannot be read has no room. */
async function statusOf(pool: Pool): Promise<PoolStatus> {
  const { name } = pool;
  try {
    await layout.requirePool(pool);
  } catch {
    return { name, totalBytes: 0, freeBytes: 0, artifacts: [] };
  }
  try {
    const { totalBytes, freeBytes } = await layout.spaceOf(pool);
    const artifacts: Digest[] = [];
    for (const digest of await layout.cachedDigests(pool)) {
      if (await isVerified(layout.basePath(pool, digest))) artifacts.push(digest);
    }
    return { name, totalBytes, freeBytes, artifacts };
  } catch (error) {
    throw toImageError(`looking at pool ${name}`, error);
  }
}

/** Refuses an image that would make QEMU open other files of the host. */
async function virtualBytesOf(path: string, format: "qcow2" | "raw"): Promise<number> {
  await using file = await open(path);
  if (format === "raw") return (await file.stat()).size;
  const { buffer } = await file.read(Buffer.alloc(QCOW2_HEADER_BYTES), 0, QCOW2_HEADER_BYTES, 0);
  const header = readQcow2Header(buffer);
  if (header === undefined) throw new ImageError("invalid", `${path} is not a qcow2 image`);
  if (header.hasOtherFiles) {
    const remedy = "flatten it with qemu-img convert";
    throw new ImageError("invalid", `${path} has a backing or data file: ${remedy}`);
  }
  return header.virtualBytes;
}
