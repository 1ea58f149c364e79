/**
 * Packs the folder that a container is built from. Equal content gives equal bytes on every
 * machine: entries are sorted, and owners, times and umasks are left out. The digest is then both
 * the name of what is uploaded and the key under which the built image is cached.
 */
import { ok as assert } from "node:assert";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import dockerignore from "@balena/dockerignore";
import type { Digest } from "@evm/fleet";
import { type Header, pack } from "tar-stream";
import { CodecError } from "./codec-error.ts";
import type { BuildSource } from "./container-schema.ts";
import { sha256 } from "./digest.ts";

/** A context goes through the shared store, whole: larger ones belong into an image. */
const MAX_BUILD_CONTEXT_BYTES = 64 * 1024 * 1024;

/** A packed folder. */
export type BuildContext = {
  readonly digest: Digest;
  /** A tar archive, not compressed. */
  readonly content: Uint8Array;
};

/**
 * Reads the folder, without what its .dockerignore names.
 * @throws CodecError `unreadable`, or `tooLarge` with the largest of its files
 */
export async function packBuildContext(
  { folder, dockerfile }: BuildSource,
  signal: AbortSignal,
): Promise<BuildContext> {
  try {
    const entries = await readEntries(folder, dockerfile, signal);
    const content = await archive(entries);
    return { digest: sha256(content), content };
  } catch (error) {
    if (error instanceof CodecError || signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CodecError("unreadable", `packing ${folder}: ${reason}`, { cause: error });
  }
}

type Entry = {
  readonly headers: Partial<Header> & Pick<Header, "name">;
  readonly data: Uint8Array;
};

const EMPTY = new Uint8Array();

async function readEntries(
  folder: string,
  dockerfile: string,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const patterns = await ignorePatterns(folder);
  // The build needs its Dockerfile, whatever the patterns say.
  const ignore = dockerignore.default().add([...patterns, `!${dockerfile}`]);
  const paths = (await readdir(folder, { recursive: true })).filter(
    (path) => !ignore.ignores(path),
  );
  if (!paths.includes(dockerfile)) {
    throw new CodecError("unreadable", `packing ${folder}: there is no ${dockerfile} in it`);
  }
  const entries: Entry[] = [];
  let bytes = 0;
  for (const path of paths.sort()) {
    signal.throwIfAborted();
    const entry = await readEntry(folder, path);
    entries.push(entry);
    bytes += entry.data.byteLength;
    if (bytes > MAX_BUILD_CONTEXT_BYTES) throw tooLarge(folder, entries);
  }
  return entries;
}

async function ignorePatterns(folder: string): Promise<readonly string[]> {
  try {
    return (await readFile(join(folder, ".dockerignore"), "utf8")).split("\n");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

async function readEntry(folder: string, path: string): Promise<Entry> {
  const full = join(folder, path);
  const stats = await lstat(full);
  const common = { name: path, mtime: new Date(0), uid: 0, gid: 0 };
  if (stats.isDirectory()) {
    return { headers: { ...common, type: "directory", mode: 0o755 }, data: EMPTY };
  }
  if (stats.isSymbolicLink()) {
    const linkname = await readlink(full);
    return { headers: { ...common, type: "symlink", mode: 0o777, linkname }, data: EMPTY };
  }
  if (!stats.isFile()) {
    throw new CodecError("unreadable", `packing ${full}: not a file, folder or symbolic link`);
  }
  if (stats.size > MAX_BUILD_CONTEXT_BYTES) {
    throw new CodecError("tooLarge", `packing ${full}: ${limits(stats.size)}`);
  }
  const isExecutable = (stats.mode & 0o111) !== 0;
  const mode = isExecutable ? 0o755 : 0o644;
  return { headers: { ...common, type: "file", mode }, data: await readFile(full) };
}

function tooLarge(folder: string, entries: readonly Entry[]): CodecError {
  const largest = entries.reduce((a, b) => (b.data.byteLength > a.data.byteLength ? b : a));
  const size = entries.reduce((sum, { data }) => sum + data.byteLength, 0);
  return new CodecError(
    "tooLarge",
    `packing ${folder}: ${limits(size)}; the largest so far is ${largest.headers.name}. ` +
      "Name what the build does not need in .dockerignore",
  );
}

const limits = (bytes: number): string =>
  `more than ${MAX_BUILD_CONTEXT_BYTES} bytes are too many (${bytes} and counting)`;

async function archive(entries: readonly Entry[]): Promise<Uint8Array> {
  const tar = pack();
  for (const { headers, data } of entries) tar.entry(headers, data);
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) {
    assert(chunk instanceof Uint8Array, "tar-stream gives bytes");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
