/** The catalog of VM images, and the build contexts of containers. */
import { imageCodec } from "@evm/codec";
import {
  artifactsOf,
  type Digest,
  type HostName,
  type Image,
  isDigest,
  isImageName,
  isSame,
} from "@evm/fleet";
import {
  type Handlers,
  type ImageService,
  RpcError,
  type UploadBuildContextRequest,
} from "@evm/protocol";
import { StoreError, type Versioned } from "@evm/store";
import { compareAndSet, outdated } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { pageOf } from "./paging.ts";
import { whileCalling } from "./while-calling.ts";

export function imageHandlers(context: ApiContext): Handlers<typeof ImageService> {
  return {
    async addImage({ image, expectedRevision }, { signal }) {
      if (image === undefined) throw new RpcError("invalidArgument", "image: missing");
      const parsed = imageCodec.fromWire(image);
      await putImage(context, parsed, expectedRevision, signal);
      const stored = context.store.control().images.get(parsed.name);
      if (stored === undefined) throw notFound("image", parsed.name);
      return { image: catalogImage(stored, cached(context)) };
    },
    async listImages(request) {
      const { images } = context.store.control();
      const sorted = [...images].sort(([a], [b]) => (a < b ? -1 : 1));
      const { page, nextPageToken } = pageOf(sorted, request, ([name]) => name);
      const present = cached(context);
      return { images: page.map(([, image]) => catalogImage(image, present)), nextPageToken };
    },
    async removeImage({ name, expectedRevision }, { signal }) {
      await removeImage(context, name, expectedRevision, signal);
      return {};
    },
    uploadBuildContext: (requests, { signal }) => upload(context, requests, signal),
  };
}

/** Which digests every host has cached, looked up once for all images of an answer. */
function cached({ store }: ApiContext): ReadonlyMap<HostName, ReadonlySet<Digest>> {
  const hosts = [...store.reports()].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    hosts.map(([host, { pools }]) => [host, new Set(pools.flatMap((pool) => pool.artifacts))]),
  );
}

function catalogImage(
  { value, revision }: Versioned<Image>,
  present: ReadonlyMap<HostName, ReadonlySet<Digest>>,
) {
  const artifacts = artifactsOf(value);
  const hosts = [...present].flatMap(([host, digests]) =>
    artifacts.every(({ digest }) => digests.has(digest)) ? [host] : [],
  );
  return { image: imageCodec.toWire(value), revision: BigInt(revision), hosts };
}

async function putImage(
  context: ApiContext,
  image: Image,
  expected: bigint | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { store } = context;
  const what = `image "${image.name}"`;
  const write = () => {
    const found = store.control().images.get(image.name);
    if (isSame(found?.value, image)) return undefined;
    const revision = found?.revision ?? 0;
    if (expected !== undefined && BigInt(revision) !== expected) {
      throw outdated(what, expected, revision);
    }
    return store.putImage(image, revision, signal);
  };
  await compareAndSet(context, { what, write, signal });
}

async function removeImage(
  { store }: ApiContext,
  name: string,
  expected: bigint | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { images, fleets } = store.control();
  const found = isImageName(name) ? images.get(name) : undefined;
  if (found === undefined) throw notFound("image", name);
  if (expected !== undefined && BigInt(found.revision) !== expected) {
    throw outdated(`image "${name}"`, expected, found.revision);
  }
  const users = [...fleets.values()].filter(({ value }) => value.image?.name === name);
  if (users.length > 0) {
    const names = users.map(({ value }) => value.spec.name).join(", ");
    throw new RpcError("failedPrecondition", `image "${name}": used by fleets ${names}`);
  }
  const outcome = await store.removeImage(found.value.name, found.revision, signal);
  if (outcome.kind === "conflict") {
    throw new RpcError("aborted", `image "${name}": changed meanwhile; read it again`);
  }
  await store.caughtUp(outcome.revision, signal);
}

async function upload(
  { store }: ApiContext,
  requests: AsyncIterable<UploadBuildContextRequest>,
  signal: AbortSignal,
) {
  const pieces = whileCalling(requests, signal);
  const first = await pieces.next();
  const digest = first.done === true ? "" : first.value.digest;
  if (!isDigest(digest)) {
    throw new RpcError("invalidArgument", `digest "${digest}": expected sha256:<64 hex digits>`);
  }
  let size = 0;
  let isRead = false;
  async function* content(): AsyncGenerator<Uint8Array> {
    isRead = true;
    for (let next = first; next.done !== true; next = await pieces.next()) {
      size += next.value.data.length;
      yield next.value.data;
    }
  }
  try {
    // What is there already is not read.
    await store.putBlob(digest, content(), signal);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "corrupt") throw error;
    throw new RpcError("invalidArgument", error.message, { cause: error });
  }
  return { sizeBytes: BigInt(size), wasPresent: !isRead };
}
