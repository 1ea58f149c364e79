/** Files that appear whole or not at all, also after a power cut. */
import { open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Renames a complete file to where it is looked for. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await sync(from);
  await rename(from, to);
  // The rename itself is on the disk only once its folder is.
  await sync(dirname(to));
}

/** Replaces a small file. One process at a time writes it. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content);
  await moveDurably(temporary, path);
}

async function sync(path: string): Promise<void> {
  await using file = await open(path);
  await file.sync();
}
