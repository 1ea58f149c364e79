/** Gets one artifact into a partial file, whatever the network does, and proves its digest. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Artifact } from "@evm/fleet";
import { ImageError, toImageError } from "./image-error.ts";
import { PartialFile } from "./partial-file.ts";
import { type Fetch, filePathOf, openSource } from "./source.ts";

/** Limits of one download. */
export type DownloadLimits = {
  /** Tries before it gives up; the partial file stays, so that a later call goes on from there. */
  readonly attempts: number;
  /** The wait before the second try; doubles with each, with jitter, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** A source that sends nothing for so long has hung: a cut link gives no other sign. */
  readonly stallMs: number;
};

/** About a minute of trying: rides out a server's restart, then lets the caller say it. */
export const DEFAULT_LIMITS: DownloadLimits = {
  attempts: 8,
  backoffMs: 500,
  maxBackoffMs: 15_000,
  stallMs: 30_000,
};

export type DownloadOptions = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
  readonly fetch: Fetch;
  readonly random: () => number;
  readonly limits: DownloadLimits;
};

/**
 * Completes `path` and verifies it. It is removed where it can never become the artifact (wrong
 * bytes) and where it would fill the disk in vain; else it is kept for a later call.
 */
export async function download(
  artifact: Artifact,
  path: string,
  options: DownloadOptions,
): Promise<void> {
  try {
    const source = filePathOf(artifact.url);
    if (source !== undefined) await PartialFile.clone(source, path);
    await using partial = await PartialFile.open(path, artifact, options.signal);
    const wasStarted = partial.doneBytes > 0;
    const isMixed = (await complete(partial, artifact, options)) > 1 || wasStarted;
    await partial.verify().catch(async (error: unknown) => {
      // Without a validator, bytes of two versions may have been mixed: once more from the start.
      if (!isMixed) throw error;
      await partial.restart(undefined);
      await complete(partial, artifact, options);
      await partial.verify();
    });
  } catch (error) {
    const failure = toImageError(`fetching ${artifact.url}`, error);
    const isUseless = failure.code === "mismatch" || failure.code === "exhausted";
    if (isUseless) await PartialFile.remove(path);
    throw named(failure, artifact);
  }
}

/** Returns how many answers it took. */
async function complete(
  partial: PartialFile,
  artifact: Artifact,
  options: DownloadOptions,
): Promise<number> {
  const { limits, random, signal } = options;
  let backoffMs = limits.backoffMs;
  let attempt = 0;
  while (!partial.isComplete) {
    try {
      attempt += 1;
      await fetchRest(partial, artifact, options);
    } catch (error) {
      const failure = toImageError(`fetching ${artifact.url}`, error);
      if (failure.code !== "unavailable" || attempt >= limits.attempts) throw failure;
      await sleep(backoffMs * (0.5 + random() / 2), undefined, { signal });
      backoffMs = Math.min(2 * backoffMs, limits.maxBackoffMs);
    }
  }
  return attempt;
}

async function fetchRest(
  partial: PartialFile,
  artifact: Artifact,
  { fetch, limits, onProgress, signal }: DownloadOptions,
): Promise<void> {
  const { sizeBytes, url } = artifact;
  const stall = new AbortController();
  const timer = setTimeout(() => {
    const text = `fetching ${url}: nothing came for ${limits.stallMs} ms`;
    stall.abort(new ImageError("unavailable", text));
  }, limits.stallMs);
  try {
    const stream = await openSource(
      {
        url,
        fromByte: partial.doneBytes,
        validator: await partial.validator(),
        signal: AbortSignal.any([signal, stall.signal]),
      },
      fetch,
    );
    if (stream.totalBytes !== undefined && stream.totalBytes !== sizeBytes) {
      const text = `the source has ${stream.totalBytes} bytes, expected ${sizeBytes}`;
      throw new ImageError("mismatch", text);
    }
    if (stream.startsAt === 0) await partial.restart(stream.validator);
    for await (const chunk of stream.body) {
      timer.refresh();
      await partial.append(chunk);
      onProgress({ doneBytes: partial.doneBytes, totalBytes: sizeBytes });
    }
  } finally {
    clearTimeout(timer);
    // Frees the connection of an answer that was not read to its end.
    stall.abort();
  }
  if (!partial.isComplete) {
    const text = `fetching ${url}: ended after ${partial.doneBytes} of ${sizeBytes} bytes`;
    throw new ImageError("unavailable", text);
  }
}

/** Mismatches are found where the URL is not known. */
function named(failure: ImageError, artifact: Artifact): ImageError {
  if (failure.message.includes(artifact.url)) return failure;
  const text = `fetching ${artifact.url}: ${failure.message}`;
  return new ImageError(failure.code, text, { cause: failure });
}
