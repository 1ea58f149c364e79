/** The few files that an agent keeps, so that its restart with the store away changes nothing. */
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { lockFolder } from "./folder-lock.ts";

export interface StateDir {
  /** Undefined where there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Replaces the file whole: after a power cut it is the old one or the new one. */
  write(name: string, content: Uint8Array): Promise<void>;
  /** Moves a file that cannot be understood out of the way, for people; returns where it went. */
  setAside(name: string): Promise<string>;
}

/**
 * The state directory at `path`, made where it is missing, and this process's alone until it is
 * disposed of: two agents with the same orders would undo each other's work.
 */
export async function openStateDir(path: string): Promise<StateDir & AsyncDisposable> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return new DiskStateDir(path, await lockFolder("state", path));
}

class DiskStateDir implements StateDir, AsyncDisposable {
  readonly #path: string;
  readonly #lock: AsyncDisposable;

  constructor(path: string, lock: AsyncDisposable) {
    this.#path = path;
    this.#lock = lock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(this.#path, name));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async write(name: string, content: Uint8Array): Promise<void> {
    const path = join(this.#path, name);
    const temporary = `${path}.new`;
    {
      await using file = await open(temporary, "w", 0o600);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(temporary, path);
    // The rename itself is on disk only once the directory is.
    await using directory = await open(this.#path, "r");
    await directory.sync();
  }

  async setAside(name: string): Promise<string> {
    const aside = join(this.#path, `${name}.unreadable`);
    await rename(join(this.#path, name), aside);
    return aside;
  }
}

/** True of an error that says that there is no such file. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
