/**
 * The images of one host: verified base files on one or more pools, and the overlays on them.
 *
 *  C1 A base is verified against its digest before an overlay is made on it, and read-only after
 *     (I9).
 *  C2 One download per artifact however many callers wait for it.
 *  C3 A partial download survives a restart and is resumed; it is never taken for a base.
 *  C4 A full disk is a clear error and leaves nothing half-done.
 */
import type { Artifact, Digest, Image, PoolStatus } from "@evm/fleet";

/** A directory on one physical disk. */
export type Pool = { readonly name: string; readonly path: string };

export type EnsureOptions = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
};

export type OverlayRequest = {
  /** Name of the folder that the overlay gets, unique on the host: `school-linux-0042.3`. */
  readonly name: string;
  readonly image: Image;
  /** At least the base's virtual size is used. */
  readonly diskMib: number;
};

export interface ImageCache {
  /** Path of the verified, read-only file; fetches it where it is missing. */
  ensure(artifact: Artifact, options: EnsureOptions): Promise<string>;
  /**
   * Makes the linked clone for one instance (idempotent); its base lies on the same pool. It is in
   * a folder of its own, where whoever asked may put what belongs to it: seed, log.
   */
  createOverlay(request: OverlayRequest, options: EnsureOptions): Promise<string>;
  /** Removes an overlay and everything else in its folder; "not there" is success. */
  removeOverlay(name: string): Promise<void>;
  /** A pool that cannot be read has no room. */
  status(): Promise<readonly PoolStatus[]>;
  /** Removes a cached artifact that no overlay's image is made of; false where one is. */
  evict(digest: Digest): Promise<boolean>;
}
