/** Blobs in NATS' object store. */
import { ReadableStream } from "node:stream/web";
import type { Digest } from "@evm/fleet";
import { BLOBS_BUCKET } from "@evm/protocol";
import { jetstream, StorageType } from "@nats-io/jetstream";
import { type ObjectResult, type ObjectStore, Objm, setSha256Backend } from "@nats-io/obj";
import { verified } from "../blob.ts";
import { abortedError, throwIfAborted } from "../wakeups.ts";
import { toStoreError } from "./errors.ts";
import { type Link, REQUEST_DEADLINE_MS } from "./link.ts";
import { streamConfig, untilAnswered } from "./streams.ts";

/** The stream behind the bucket, by the convention of NATS. */
const BLOBS_STREAM = `OBJ_${BLOBS_BUCKET}`;

/** Sixteen of the largest; a full store is an error for the one who puts. */
const MAX_BLOBS_BYTES = 1024 ** 3;

/** The largest blob at 1 MB/s, a slow disk's pace. */
const BLOB_DEADLINE_MS = 70_000;

/** Creates the bucket where it is missing. */
export async function ensureBlobs(
  link: Link,
  replicas: number,
  signal: AbortSignal,
): Promise<void> {
  const doing = `setting up bucket ${BLOBS_BUCKET}`;
  await untilAnswered(doing, signal, async () => {
    if ((await streamConfig(link, BLOBS_STREAM, doing, signal)) !== undefined) return;
    await link.bounded(doing, signal, () =>
      manager(link).create(BLOBS_BUCKET, {
        storage: StorageType.File,
        replicas,
        max_bytes: MAX_BLOBS_BYTES,
      }),
    );
  });
}

export async function putBlob(
  link: Link,
  digest: Digest,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const doing = `storing blob ${digest}`;
  const within = AbortSignal.any([signal, AbortSignal.timeout(BLOB_DEADLINE_MS)]);
  const store = await open(link, doing, within);
  await link.bounded(doing, within, async () => {
    if ((await store.info(digest)) !== null) return;
    const stream = ReadableStream.from(until(within, doing, verified(digest, content)));
    await store.put({ name: digest }, stream, { timeout: REQUEST_DEADLINE_MS });
  });
}

export async function getBlob(
  link: Link,
  digest: Digest,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const doing = `reading blob ${digest}`;
  const within = AbortSignal.any([signal, AbortSignal.timeout(BLOB_DEADLINE_MS)]);
  const store = await open(link, doing, within);
  const found = await link.bounded(doing, within, () => store.get(digest));
  if (found === null) return undefined;
  return verified(digest, read(link, doing, found, within));
}

const manager = (link: Link): Objm => {
  // The library's own sha256 in JavaScript manages 9 to 27 MB/s.
  setSha256Backend("native");
  return new Objm(jetstream(link.nats, { timeout: REQUEST_DEADLINE_MS }));
};

async function open(link: Link, doing: string, signal: AbortSignal): Promise<ObjectStore> {
  link.ensureConnected(doing, signal);
  return link.bounded(doing, signal, () => manager(link).open(BLOBS_BUCKET, false));
}

/** Ends with an error once the signal fires, which makes the object store drop what it has. */
async function* until(
  signal: AbortSignal,
  doing: string,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of content) {
    throwIfAborted(signal, doing);
    yield bytes;
  }
}

async function* read(
  link: Link,
  doing: string,
  { data, error }: ObjectResult,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = data.getReader();
  try {
    for (;;) {
      const { done, value } = await link.bounded(doing, signal, () => reader.read());
      if (done) break;
      yield value;
    }
    const failure = await link.bounded(doing, signal, () => error);
    if (failure instanceof Error) throw toStoreError(doing, failure);
  } finally {
    await reader.cancel(signal.aborted ? abortedError(signal, doing) : undefined);
  }
}
