/** A folder of exports on this machine: each file is written whole or not at all. */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Where exports are kept; names sort by time. */
export interface ExportFolder {
  /** Names of the exports that are there, oldest first. */
  list(): Promise<readonly string[]>;
  read(name: string): Promise<string>;
  /** Resolves once it would survive a loss of power. */
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

const NAME = /^evm-\d{4}-[\dT.-]+Z\.yaml$/;

/** Made where it is missing. */
export function exportFolder(path: string): ExportFolder {
  return {
    async list() {
      await mkdir(path, { recursive: true });
      return (await readdir(path)).filter((name) => NAME.test(name)).sort();
    },
    read: (name) => readFile(join(path, name), "utf8"),
    async write(name, text) {
      const partial = join(path, `${name}.partial`);
      await synced(partial, "w", (file) => file.writeFile(text));
      await rename(partial, join(path, name));
      await synced(path, "r", async () => {});
    },
    remove: (name) => rm(join(path, name), { force: true }),
  };
}

type File = Awaited<ReturnType<typeof open>>;

async function synced(path: string, flags: string, use: (file: File) => Promise<void>) {
  await using file = await open(path, flags);
  await use(file);
  await file.sync();
}
