/**
 * The serial console's log of one VM, in the folder of its disk:
 *
 *     console.log      what the last run showed; libvirtd truncates it at every start
 *     console.log.<n>  what virtlogd rotated away during that run; 0 is the newest
 *     previous.log     the end of the run before
 *
 * virtlogd limits each file (2 MiB) and their number (3 old ones), as its `max_size` and
 * `max_backups` say: a guest that prints for ever takes 10 MiB of the disk and no more.
 */
import { copyFile, type FileHandle, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Instant } from "@evm/fleet";
import type { LogOptions } from "../driver.ts";
import { consoleLogPath } from "./domain-xml.ts";

/** More than virtlogd keeps as shipped: of a log that nothing limits, only the end is read. */
const MAX_READ_BYTES = 16 << 20;

/** How often a follower looks for more. A person does not see the difference. */
const FOLLOW_INTERVAL_MS = 200;

const ROTATED = /^console\.log\.(\d+)$/;

/** How far a log was read. */
export type LogCursor = { readonly inode: number; readonly offset: number };

type Piece = { readonly bytes: Buffer; readonly cursor: LogCursor };

/** To be called before a start: libvirtd is about to truncate the log. */
export async function keepPrevious(folder: string): Promise<void> {
  // A copy and not a rename: should the VM run after all, virtlogd goes on writing where it did.
  await copyFile(consoleLogPath(folder), join(folder, "previous.log")).catch(ifMissing);
  for (const path of await rotatedPaths(folder)) await rm(path, { force: true });
}

/**
 * Whether the run that began at `since` has shown `text`. With the cursor of an earlier look, only
 * what is new is read.
 */
export async function findText(
  folder: string,
  text: string,
  options: { since: Instant; cursor: LogCursor | undefined },
): Promise<{ readonly isFound: boolean; readonly cursor: LogCursor | undefined }> {
  const { since, cursor } = options;
  const needle = Buffer.from(text);
  const path = consoleLogPath(folder);
  if (cursor !== undefined) {
    // Its beginning may have been read already.
    const offset = Math.max(0, cursor.offset - needle.length + 1);
    const piece = await readFrom(path, { inode: cursor.inode, offset });
    if (piece !== undefined) return { isFound: piece.bytes.includes(needle), cursor: piece.cursor };
  }
  const pieces: Buffer[] = [];
  // Files that were last written to before this run are of an earlier one.
  for (const rotated of await rotatedPaths(folder)) pieces.push(await readWhole(rotated, since));
  const current = await readFrom(path, undefined);
  if (current !== undefined) pieces.push(current.bytes);
  return { isFound: Buffer.concat(pieces).includes(needle), cursor: current?.cursor };
}

/**
 * What is kept of the console's output, then, where it is followed, what comes until `isUp` says
 * that the VM has ended, or the signal fires.
 */
export async function* readLog(
  folder: string,
  options: LogOptions & { readonly isUp: () => Promise<boolean>; readonly clock: Clock },
): AsyncGenerator<Uint8Array> {
  const paths = [join(folder, "previous.log"), ...(await rotatedPaths(folder))];
  const pieces: Buffer[] = [];
  for (const path of paths) pieces.push(await readWhole(path, 0));
  const current = await readFrom(consoleLogPath(folder), undefined);
  if (current !== undefined) pieces.push(current.bytes);
  const kept = Buffer.concat(pieces);
  const { tailLines } = options;
  yield tailLines === undefined ? kept : kept.subarray(startOfTail(kept, tailLines));
  if (options.isFollowing) yield* follow(folder, current?.cursor, options);
}

async function* follow(
  folder: string,
  from: LogCursor | undefined,
  options: { signal: AbortSignal; isUp: () => Promise<boolean>; clock: Clock },
): AsyncGenerator<Uint8Array> {
  const { signal, isUp, clock } = options;
  const path = consoleLogPath(folder);
  let cursor = from;
  // One more look after it ended: virtlogd may be a moment behind QEMU.
  for (let looksLeft = 2; looksLeft > 0 && !signal.aborted; ) {
    if (!(await isUp())) looksLeft -= 1;
    let piece = await readFrom(path, cursor);
    if (piece === undefined && cursor !== undefined) {
      // Rotated, or truncated by a start: first the rest of the old file, where it is still there.
      for (const rotated of await rotatedPaths(folder)) {
        const rest = await readFrom(rotated, cursor);
        if (rest !== undefined) yield rest.bytes;
      }
      piece = await readFrom(path, undefined);
    }
    if (piece !== undefined && piece.bytes.length > 0) yield piece.bytes;
    cursor = piece?.cursor ?? cursor;
    await clock.sleep(FOLLOW_INTERVAL_MS, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** What follows the cursor; undefined where there is no file, or not the one that it is of. */
async function readFrom(path: string, cursor: LogCursor | undefined): Promise<Piece | undefined> {
  const file = await open(path).catch(ifMissing);
  if (file === undefined) return undefined;
  await using handle = file;
  const { ino: inode, size } = await handle.stat();
  if (cursor !== undefined && (cursor.inode !== inode || cursor.offset > size)) return undefined;
  const start = Math.max(cursor?.offset ?? 0, size - MAX_READ_BYTES);
  return { bytes: await readRange(handle, start, size), cursor: { inode, offset: size } };
}

async function readWhole(path: string, since: Instant): Promise<Buffer> {
  const file = await open(path).catch(ifMissing);
  if (file === undefined) return Buffer.alloc(0);
  await using handle = file;
  const { mtimeMs, size } = await handle.stat();
  if (mtimeMs < since) return Buffer.alloc(0);
  return await readRange(handle, Math.max(0, size - MAX_READ_BYTES), size);
}

async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
  return bytes.subarray(0, bytesRead);
}

/** Oldest first. */
async function rotatedPaths(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder).catch(ifMissing)) ?? [];
  const age = (name: string): number => Number(ROTATED.exec(name)?.[1] ?? -1);
  const rotated = names.filter((name) => age(name) >= 0);
  return rotated.sort((a, b) => age(b) - age(a)).map((name) => join(folder, name));
}

function startOfTail(bytes: Buffer, lines: number): number {
  let start = bytes.length;
  for (let left = lines; left > 0 && start > 0; left--) {
    // The byte before `start` ends this line, or is a part of it; either way none before it.
    start = start < 2 ? 0 : bytes.lastIndexOf("\n", start - 2) + 1;
  }
  return start;
}

function ifMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
