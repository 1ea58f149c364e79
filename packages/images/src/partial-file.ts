/**
 * A download that is not complete yet: `<pool>/partial/<hex>`, and beside it what the source said
 * of its version. Both survive a kill at any point; nothing but the digest decides what they are
 * worth.
 */
import { createHash, type Hash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, type FileHandle, open, readFile, rm, writeFile } from "node:fs/promises";
import type { Artifact } from "@evm/fleet";
import { ImageError } from "./image-error.ts";

/** Large reads: hashing a base of many gigabytes must not be bound by calls. */
const READ_BYTES = 1 << 20;

/** Feeds the first `length` bytes of a file to `hash`. */
export async function hashFile(
  path: string,
  hash: Hash,
  options: {
    length: number;
    signal: AbortSignal;
    onProgress: (doneBytes: number) => void;
  },
): Promise<void> {
  if (options.length === 0) return;
  const end = options.length - 1;
  const { signal } = options;
  let doneBytes = 0;
  for await (const chunk of createReadStream(path, { end, highWaterMark: READ_BYTES, signal })) {
    hash.update(chunk);
    doneBytes += chunk.length;
    options.onProgress(doneBytes);
  }
}

export class PartialFile implements AsyncDisposable {
  readonly #path: string;
  readonly #artifact: Artifact;
  readonly #file: FileHandle;
  #hash: Hash;
  #doneBytes: number;

  private constructor(
    path: string,
    artifact: Artifact,
    file: FileHandle,
    hash: Hash,
    done: number,
  ) {
    this.#path = path;
    this.#artifact = artifact;
    this.#file = file;
    this.#hash = hash;
    this.#doneBytes = done;
  }

  /** Opens or makes it, and hashes what is there. */
  static async open(path: string, artifact: Artifact, signal: AbortSignal): Promise<PartialFile> {
    const file = await open(path, "a+");
    try {
      const { size } = await file.stat();
      const hash = createHash("sha256");
      const isTooLong = size > artifact.sizeBytes;
      if (isTooLong) await file.truncate(0);
      else await hashFile(path, hash, { length: size, signal, onProgress: () => undefined });
      return new PartialFile(path, artifact, file, hash, isTooLong ? 0 : size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Shares the blocks of `source` where the file system can (xfs, btrfs); else does nothing. */
  static async clone(source: string, path: string): Promise<void> {
    try {
      await copyFile(source, path, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    } catch {
      // Most file systems cannot, and a partial copy may be there already: reading it does both.
    }
  }

  /** Removes it with all that was noted of it; what is not there is left out. */
  static async remove(path: string): Promise<void> {
    await rm(validatorPath(path), { force: true });
    await rm(path, { force: true });
  }

  get doneBytes(): number {
    return this.#doneBytes;
  }

  get isComplete(): boolean {
    return this.#doneBytes === this.#artifact.sizeBytes;
  }

  /** What the source said of the version that these bytes are of. */
  async validator(): Promise<string | undefined> {
    if (this.#doneBytes === 0) return undefined;
    return (await readFile(validatorPath(this.#path), "utf8").catch(() => "")) || undefined;
  }

  /** Starts again with nothing, from a source of this version. */
  async restart(validator: string | undefined): Promise<void> {
    await this.#file.truncate(0);
    await writeFile(validatorPath(this.#path), validator ?? "");
    this.#hash = createHash("sha256");
    this.#doneBytes = 0;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const { sizeBytes } = this.#artifact;
    if (this.#doneBytes + bytes.length > sizeBytes) {
      throw new ImageError("mismatch", `the source has more than the ${sizeBytes} bytes expected`);
    }
    await this.#file.appendFile(bytes);
    this.#hash.update(bytes);
    this.#doneBytes += bytes.length;
  }

  /** Proves that the complete file is the artifact, and that it is on the disk. */
  async verify(): Promise<void> {
    const actual = `sha256:${this.#hash.copy().digest("hex")}`;
    if (actual !== this.#artifact.digest) {
      throw new ImageError("mismatch", `expected ${this.#artifact.digest}, got ${actual}`);
    }
    await this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

const validatorPath = (path: string): string => `${path}.version`;
