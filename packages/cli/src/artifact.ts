/** The files of an image: where they are, how large they are and their digests. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CliError, reasonOf } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { bytes } from "./output/format.ts";
import { startQuietProgress } from "./output/progress.ts";

/** As the API takes it. */
export type Artifact = {
  readonly url: string;
  readonly digest: string;
  readonly sizeBytes: bigint;
};

/** What the command line says of one file. */
export type ArtifactSource = {
  /** The option that names it, for messages: `--disk`. */
  readonly option: string;
  /** A path, or a file: or http(s): URL. */
  readonly location: string;
  readonly sha256: string | undefined;
  readonly size: number | undefined;
};

/** For the headers alone. */
const HEAD_DEADLINE_MS = 15_000;

/** Reads a local file whole for its digest; of a remote one the digest must be given. */
export function describeArtifact(context: Context, source: ArtifactSource): Promise<Artifact> {
  const path = localPath(source.option, source.location);
  return path === undefined ? remote(context, source) : local(context, source, path);
}

/** The absolute path of a local file; undefined for what is elsewhere. */
export function localPath(option: string, location: string): string | undefined {
  if (!/^(file|https?):/i.test(location)) return resolve(location);
  try {
    const url = new URL(location);
    return url.protocol === "file:" ? fileURLToPath(url) : undefined;
  } catch (cause) {
    const expected = "expected a path, or a file:, http: or https: URL";
    throw new CliError("usage", `${option}: "${location}"; ${expected}`, { cause });
  }
}

/** The format that a disk says it has: qcow2 by its first bytes, else raw. */
export async function detectFormat(path: string): Promise<"qcow2" | "raw"> {
  await using file = await open(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return bytesRead === 4 && buffer.equals(Buffer.from("QFI\xfb", "latin1")) ? "qcow2" : "raw";
}

async function local(
  { terminal, signal }: Context,
  { option, sha256, size: expectedSize }: ArtifactSource,
  path: string,
): Promise<Artifact> {
  using progress = startQuietProgress(terminal);
  const hash = createHash("sha256");
  let size: number;
  let done = 0;
  try {
    ({ size } = await stat(path));
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
      hash.update(chunk);
      done += chunk.length;
      progress.update(`reading ${basename(path)}: ${bytes(done)} of ${bytes(size)}`);
    }
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new CliError("usage", `${option}: ${path}: ${reasonOf(cause)}`, { cause });
  }
  const digest = `sha256:${hash.digest("hex")}`;
  assertAsSaid(option, { sha256, size: expectedSize }, { digest, size: done });
  return { url: pathToFileURL(path).href, digest, sizeBytes: BigInt(done) };
}

const CHUNK_BYTES = 1024 * 1024;

function assertAsSaid(
  option: string,
  said: Pick<ArtifactSource, "sha256" | "size">,
  found: { readonly digest: string; readonly size: number },
): void {
  if (said.sha256 !== undefined && digestOf(option, said.sha256) !== found.digest) {
    throw new CliError("usage", `${option}-sha256: ${said.sha256}; the file has ${found.digest}`);
  }
  if (said.size !== undefined && said.size !== found.size) {
    throw new CliError("usage", `${option}-size: ${said.size}; the file has ${found.size} bytes`);
  }
}

async function remote(
  { signal }: Context,
  { option, location, sha256, size }: ArtifactSource,
): Promise<Artifact> {
  if (sha256 === undefined) {
    throw new CliError(
      "usage",
      `${option}: ${location} needs ${option}-sha256: what hosts fetch is checked against it`,
    );
  }
  const digest = digestOf(option, sha256);
  const sizeBytes = BigInt(size ?? (await remoteSize(option, location, signal)));
  return { url: new URL(location).href, digest, sizeBytes };
}

/** `sha256:<hex>`, given with or without what comes before the digits. */
function digestOf(option: string, text: string): string {
  const digits = text.toLowerCase().replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/.test(digits)) return `sha256:${digits}`;
  throw new CliError("usage", `${option}-sha256: "${text}"; expected 64 hex digits`);
}

async function remoteSize(option: string, location: string, signal: AbortSignal): Promise<number> {
  const advice = `say it with ${option}-size`;
  let length: string | null;
  try {
    const deadline = AbortSignal.timeout(HEAD_DEADLINE_MS);
    const response = await fetch(location, {
      method: "HEAD",
      signal: AbortSignal.any([signal, deadline]),
    });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    length = response.headers.get("content-length");
  } catch (cause) {
    if (signal.aborted) throw cause;
    const text = `${option}: asking ${location} for its size: ${reasonOf(cause)}; ${advice}`;
    throw new CliError("failed", text, { cause });
  }
  if (length !== null && /^\d+$/.test(length)) return Number(length);
  throw new CliError("usage", `${option}: ${location} does not say its size; ${advice}`);
}
