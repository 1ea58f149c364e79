import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { Artifact, Digest } from "@evm/fleet";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ImageCache } from "./cache.ts";
import { type FileServer, startFileServer } from "./file-server.testing.ts";
import { createImageCache } from "./image-cache.ts";

const BODY = randomBytes(3 << 20);
const digestOf = (bytes: Buffer) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
const HEX = digestOf(BODY).slice("sha256:".length);

let folder: string;
let server: FileServer;
let artifact: Artifact;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "evm-images-"));
  server = await startFileServer(BODY);
  artifact = { url: server.url, digest: digestOf(BODY), sizeBytes: BODY.length };
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const LIMITS = { attempts: 3, backoffMs: 1, maxBackoffMs: 1, stallMs: 60_000 };

const cacheWith = (limits: Partial<typeof LIMITS> = {}): ImageCache =>
  createImageCache({
    pools: [{ name: "main", path: folder }],
    fetch,
    random: () => 0.5,
    limits: { ...LIMITS, ...limits },
  });

const options = (signal: AbortSignal = new AbortController().signal) => ({
  signal,
  onProgress: () => undefined,
});

async function expectBody(path: string): Promise<void> {
  expect(digestOf(await readFile(path))).toBe(artifact.digest);
}

/** Resolves once the flight has passed `bytes`. */
function passed(bytes: number) {
  const reached = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    onProgress: ({ doneBytes }: { doneBytes: number }) => {
      if (doneBytes >= bytes) reached.resolve();
    },
  };
}

test("an artifact is fetched once, verified and made read-only", async () => {
  const path = await cacheWith().ensure(artifact, options());
  await expectBody(path);
  expect(path).toBe(join(folder, "bases", HEX));
  expect((await stat(path)).mode & 0o777).toBe(0o444);
  await cacheWith().ensure(artifact, options());
  expect(server.ranges).toEqual([undefined]);
  const [pool] = await cacheWith().status();
  expect(pool?.artifacts).toEqual([artifact.digest]);
  expect(await readdir(join(folder, "partial"))).toEqual([]);
});

test("however many callers wait, there is one download", async () => {
  // A second attempt would be a second request: it is to say why instead.
  const cache = cacheWith({ attempts: 1 });
  const callers = Array.from({ length: 50 }, () => cache.ensure(artifact, options()));
  expect(new Set(await Promise.all(callers)).size).toBe(1);
  expect(server.ranges).toEqual([undefined]);
});

test("a caller that leaves does not disturb the others", async () => {
  const cache = cacheWith();
  const leaving = new AbortController();
  const leaver = cache.ensure(artifact, options(leaving.signal));
  const stayer = cache.ensure(artifact, options());
  leaving.abort();
  await expect(leaver).rejects.toMatchObject({ code: "cancelled" });
  await expectBody(await stayer);
});

test("the download ends with the last caller, and a later one goes on from there", async () => {
  server.behaviour.hangAfterBytes = 1 << 20;
  const abandoned = server.nextAbandoned();
  const cache = cacheWith();
  const leaving = new AbortController();
  const { reached, onProgress } = passed(1 << 20);
  const callers = [1, 2].map(() => cache.ensure(artifact, { signal: leaving.signal, onProgress }));
  await reached;
  leaving.abort();
  for (const result of await Promise.allSettled(callers)) expect(result.status).toBe("rejected");
  await abandoned;
  server.behaviour.hangAfterBytes = undefined;
  await cache.ensure(artifact, options());
  expect(server.ranges).toEqual([undefined, `bytes=${1 << 20}-`]);
});

test("a cut connection is resumed where it was cut", async () => {
  server.behaviour.cutAfterBytes = 2 << 20;
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toHaveLength(2);
  expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
});

test("a server without ranges is read from the start again", async () => {
  Object.assign(server.behaviour, { cutAfterBytes: 1 << 20, hasRanges: false });
  const { reached, onProgress } = passed(1);
  const cached = cacheWith({ attempts: 5 }).ensure(artifact, { ...options(), onProgress });
  await reached;
  server.behaviour.cutAfterBytes = undefined;
  await expectBody(await cached);
});

test("a file that changed between two answers is read from the start again", async () => {
  Object.assign(server.behaviour, { body: randomBytes(BODY.length), cutAfterBytes: 1 << 20 });
  await expect(cacheWith({ attempts: 1 }).ensure(artifact, options())).rejects.toThrow();
  Object.assign(server.behaviour, { body: BODY, etag: '"2"', cutAfterBytes: undefined });
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toHaveLength(2);
});

test("mixed versions of a server that names none are found by the digest", async () => {
  Object.assign(server.behaviour, {
    body: randomBytes(BODY.length),
    cutAfterBytes: 1 << 20,
    etag: undefined,
  });
  await expect(cacheWith({ attempts: 1 }).ensure(artifact, options())).rejects.toThrow();
  Object.assign(server.behaviour, { body: BODY, cutAfterBytes: undefined });
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toHaveLength(3);
});

test("wrong bytes are refused, and nothing of them stays", async () => {
  server.behaviour.body = randomBytes(BODY.length);
  const failure = await cacheWith()
    .ensure(artifact, options())
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "mismatch", isTransient: false });
  expect(String(failure)).toContain(artifact.digest);
  expect(await readdir(join(folder, "partial"))).toEqual([]);
  expect(await readdir(join(folder, "bases"))).toEqual([]);
});

test("a source of another size is refused before it is read", async () => {
  const wrong = { ...artifact, sizeBytes: BODY.length - 1 };
  const message = /source has 3145728 bytes, expected 3145727/;
  await expect(cacheWith().ensure(wrong, options())).rejects.toThrow(message);
});

test("a file that is not there is an error at once", async () => {
  server.behaviour.status = 404;
  const failure = { code: "notFound", isTransient: false };
  await expect(cacheWith().ensure(artifact, options())).rejects.toMatchObject(failure);
  expect(server.ranges).toHaveLength(1);
});

test("a server in trouble is asked again, but not for ever", async () => {
  server.behaviour.status = 503;
  const failure = { code: "unavailable", isTransient: true };
  await expect(cacheWith().ensure(artifact, options())).rejects.toMatchObject(failure);
  expect(server.ranges).toHaveLength(LIMITS.attempts);
});

test("a server that stops sending is left", async () => {
  server.behaviour.hangAfterBytes = 1 << 20;
  const cached = cacheWith({ attempts: 1, stallMs: 200 }).ensure(artifact, options());
  await expect(cached).rejects.toThrow(/nothing came for 200 ms/);
});

test("an artifact that no pool has room for is refused before it is fetched", async () => {
  const huge = { ...artifact, sizeBytes: Number.MAX_SAFE_INTEGER };
  const failure = { code: "exhausted", isTransient: true };
  await expect(cacheWith().ensure(huge, options())).rejects.toMatchObject(failure);
  expect(server.ranges).toEqual([]);
});

test("local files are copied", async () => {
  const source = join(folder, "source.qcow2");
  await writeFile(source, BODY);
  const local = { ...artifact, url: pathToFileURL(source).href };
  const path = await cacheWith().ensure(local, options());
  await rm(source);
  await expectBody(path);
});

test("what cannot be an artifact says why", async () => {
  const ensure = (change: object) => cacheWith().ensure({ ...artifact, ...change }, options());
  await expect(ensure({ url: "ftp://x/y" })).rejects.toThrow(/expected a file:, http: or https:/);
  await expect(ensure({ url: "file:///nowhere" })).rejects.toMatchObject({ code: "notFound" });
  await expect(ensure({ url: "file:///" })).rejects.toMatchObject({ code: "invalid" });
  await expect(ensure({ digest: "sha256:../../x" })).rejects.toMatchObject({ code: "invalid" });
});

test("a base that changed behind its stamp is fetched again", async () => {
  const path = await cacheWith().ensure(artifact, options());
  await chmod(path, 0o644);
  await writeFile(path, randomBytes(BODY.length));
  expect((await cacheWith().status())[0]?.artifacts).toEqual([]);
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toHaveLength(2);
});

test("a base without its stamp is hashed again, not fetched", async () => {
  const path = await cacheWith().ensure(artifact, options());
  await rm(`${path}.stamp`);
  await cacheWith().ensure(artifact, options());
  expect(server.ranges).toHaveLength(1);
  expect((await cacheWith().status())[0]?.artifacts).toEqual([artifact.digest]);
});

test("a process killed in a download leaves what the next one goes on with", async () => {
  server.behaviour.hangAfterBytes = 1 << 20;
  const program = `
    import { createImageCache } from ${JSON.stringify(join(import.meta.dirname, "image-cache.ts"))};
    const pools = [{ name: "main", path: process.argv[1] }];
    const cache = createImageCache({ pools, fetch, random: Math.random });
    await cache.ensure(JSON.parse(process.argv[2]), {
      signal: new AbortController().signal,
      onProgress: ({ doneBytes }) => console.log(doneBytes),
    });`;
  const args = ["--input-type=module", "--eval", program, folder, JSON.stringify(artifact)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number(line) >= 1 << 20) break;
  }
  child.kill("SIGKILL");
  await exited;
  expect(await readdir(join(folder, "bases"))).toEqual([]);
  server.behaviour.hangAfterBytes = undefined;
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toEqual([undefined, `bytes=${1 << 20}-`]);
});

test("a pool whose disk is not mounted is an error, not an empty pool", async () => {
  const path = join(folder, "not-mounted");
  const cache = createImageCache({ pools: [{ name: "fast", path }], fetch, random: () => 0.5 });
  await expect(cache.ensure(artifact, options())).rejects.toThrow(/is its disk mounted/);
  expect(await cache.status()).toEqual([
    { name: "fast", totalBytes: 0, freeBytes: 0, artifacts: [] },
  ]);
});

test("an artifact that no overlay needs can be evicted, and is fetched again", async () => {
  const cache = cacheWith();
  await cache.ensure(artifact, options());
  expect(await cache.evict(artifact.digest)).toBe(true);
  expect(await readdir(join(folder, "bases"))).toEqual([]);
  await cache.ensure(artifact, options());
  expect(server.ranges).toHaveLength(2);
});

test("what cannot be known not to be needed is not evicted", async () => {
  const cache = cacheWith();
  await cache.ensure(artifact, options());
  // A folder in the place of the note: it can be seen and not be read.
  await mkdir(join(folder, "overlays", "web-0000.1", "needs"), { recursive: true });
  await expect(cache.evict(artifact.digest)).rejects.toThrow(/^evicting sha256:.*EISDIR/);
  expect(await readdir(join(folder, "bases"))).not.toEqual([]);
});

test("what a kill between any two writes leaves of a base is made good", async () => {
  const cache = cacheWith();
  const base = await cache.ensure(artifact, options());
  // Renamed, but not made read-only nor stamped yet; a stamp that is cut short.
  for (const stamp of ["", "12"]) {
    await chmod(base, 0o644);
    await writeFile(`${base}.stamp`, stamp);
    await expectBody(await cacheWith().ensure(artifact, options()));
    expect((await stat(base)).mode & 0o777).toBe(0o444);
  }
  // Complete and synced, but not renamed yet: nothing is fetched again.
  await rename(base, join(folder, "partial", artifact.digest.slice("sha256:".length)));
  await rm(`${base}.stamp`);
  await expectBody(await cacheWith().ensure(artifact, options()));
  expect(server.ranges).toHaveLength(1);
});
