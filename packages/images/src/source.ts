/** Where artifacts come from: `file:` and `http(s):`, opened at any byte. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { hasCode, ImageError, type ImageErrorCode } from "./image-error.ts";

export type SourceRequest = {
  readonly url: string;
  /** How much of it is there already. */
  readonly fromByte: number;
  /** What the source said of the version that these bytes are of. */
  readonly validator: string | undefined;
  readonly signal: AbortSignal;
};

export type SourceStream = {
  readonly body: AsyncIterable<Uint8Array>;
  /** What was asked for, or 0 where the source starts again: it cannot resume, or has changed. */
  readonly startsAt: number;
  /** The whole file's size, where the source says it. */
  readonly totalBytes: number | undefined;
  /** To be given back in a later request; absent where the source names no version. */
  readonly validator: string | undefined;
};

/** A parameter, so that tests and simulations can put another network here. */
export type Fetch = (
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal },
) => Promise<Response>;

/** Opens an artifact's source; failures are `ImageError`s that name the URL. */
export async function openSource(request: SourceRequest, fetch: Fetch): Promise<SourceStream> {
  const path = filePathOf(request.url);
  return path === undefined ? await openHttp(request, fetch) : await openFile(request, path);
}

/** The path of a `file:` URL, undefined for `http(s):`; everything else is refused. */
export function filePathOf(url: string): string | undefined {
  const protocol = URL.canParse(url) ? new URL(url).protocol : "";
  if (protocol === "http:" || protocol === "https:") return undefined;
  if (protocol === "file:") return fileURLToPath(url);
  throw new ImageError("invalid", `fetching "${url}": expected a file:, http: or https: URL`);
}

async function openFile(request: SourceRequest, path: string): Promise<SourceStream> {
  const doing = `reading ${path}`;
  const stats = await stat(path).catch((error: unknown) => {
    const isMissing = hasCode(error, "ENOENT", "ENOTDIR");
    throw new ImageError(isMissing ? "notFound" : "failed", `${doing}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  if (!stats.isFile()) throw new ImageError("invalid", `${doing}: not a regular file`);
  const validator = `${stats.size}-${stats.mtimeMs}-${stats.ino}`;
  const startsAt = validator === request.validator ? request.fromByte : 0;
  const body = readFrom(path, startsAt, request.signal);
  return { body, startsAt, totalBytes: stats.size, validator };
}

/** Opens the file only once it is read: a stream that nobody reads would have no one to fail to. */
async function* readFrom(
  path: string,
  start: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  yield* createReadStream(path, { start, signal });
}

async function openHttp(request: SourceRequest, fetch: Fetch): Promise<SourceStream> {
  const { url, fromByte, validator, signal } = request;
  const doing = `fetching ${url}`;
  // A transparently compressed answer would have other offsets than the file.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (fromByte > 0) {
    headers["range"] = `bytes=${fromByte}-`;
    // Without a validator the digest still finds out that two versions were mixed.
    if (validator !== undefined) headers["if-range"] = validator;
  }
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    throw fromNetwork(doing, signal, error);
  });
  if (response.status === 416 && fromByte > 0) {
    await response.body?.cancel();
    return await openHttp({ ...request, fromByte: 0, validator: undefined }, fetch);
  }
  if (response.body === null || (response.status !== 200 && response.status !== 206)) {
    await response.body?.cancel();
    throw new ImageError(
      codeOfStatus(response.status),
      `${doing}: the server answered ${response.status} ${response.statusText}`,
    );
  }
  const range = response.status === 206 ? contentRange(response.headers) : undefined;
  if (response.status === 206 && range?.startsAt !== fromByte) {
    await response.body.cancel();
    throw new ImageError("unavailable", `${doing}: the server answered another range than asked`);
  }
  return {
    body: readBody(response.body, doing, signal),
    startsAt: range?.startsAt ?? 0,
    totalBytes: range === undefined ? contentLength(response.headers) : range.totalBytes,
    validator: validatorOf(response.headers),
  };
}

async function* readBody(
  body: AsyncIterable<Uint8Array>,
  doing: string,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw fromNetwork(doing, signal, error);
  }
}

/** Only what RFC 9110 §13.1.5 allows in If-Range: a strong entity tag, or a date. */
function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get("etag") ?? undefined;
  if (etag !== undefined && !etag.startsWith("W/")) return etag;
  return headers.get("last-modified") ?? undefined;
}

function contentLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text === null ? undefined : Number(text);
}

function contentRange(headers: Headers): Pick<SourceStream, "startsAt" | "totalBytes"> | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (match === null) return undefined;
  const [, start, total] = match;
  return { startsAt: Number(start), totalBytes: total === "*" ? undefined : Number(total) };
}

function codeOfStatus(status: number): ImageErrorCode {
  if (status === 404 || status === 410) return "notFound";
  // Request timeout, too early, too many requests: asked again they may be answered.
  const isTransient = status >= 500 || status === 408 || status === 425 || status === 429;
  return isTransient ? "unavailable" : "invalid";
}

/** Whatever breaks a connection may heal, except that the caller went away. */
function fromNetwork(doing: string, signal: AbortSignal, error: unknown): ImageError {
  if (signal.aborted && signal.reason instanceof ImageError) return signal.reason;
  if (signal.aborted) return new ImageError("cancelled", `${doing}: cancelled`, { cause: error });
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new ImageError("unavailable", `${doing}: ${messageOf(cause)}`, { cause: error });
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);
