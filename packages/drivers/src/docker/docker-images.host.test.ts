import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { ContainerSource, Digest } from "@evm/fleet";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../clock.testing.ts";
import { TestDaemon } from "./daemon.testing.ts";
import { createDockerDriver } from "./docker-driver.ts";
import { TestRegistry } from "./registry.testing.ts";
import { containerSpec } from "./specs.testing.ts";

let daemon: TestDaemon;
let registry: TestRegistry;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  registry = await TestRegistry.start();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
});

test("an image is pulled once for all who wait for it, and never again", async () => {
  const { prepare } = bench();
  const source = imageSource("team/app:1");
  const told: string[] = [];
  const onProgress = (text: string) => told.push(text);
  await Promise.all([0, 1, 2].map((index) => prepare(index, source, { onProgress })));
  await prepare(3, source);
  expect(registry.layerRequests).toBe(1);
  const image = registry.reference("team/app:1");
  expect(told).toContain(`pulling image ${image}`);
  expect(await daemon.cli("images", "--format", "{{.Repository}}:{{.Tag}}")).toContain(image);
  expect(await daemon.cli("ps", "--all", "--format", "{{.Image}}")).toContain(image);
});

test("an image that its registry does not have is a wrong order", async () => {
  const { prepare } = bench();
  await expect(prepare(40, imageSource("team/app:missing"))).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringContaining("manifest"),
  });
});

test("a pull that is cut in the middle, or finds no registry, may be tried again", async () => {
  const { prepare } = bench();
  // Layers that the daemon has are not asked for.
  await daemon.removeContainers();
  await daemon.cli("rmi", registry.reference("team/app:1"));
  const cut = prepare(41, imageSource("broken/app:1"));
  await expect(cut).rejects.toMatchObject({ code: "unavailable" });
  const nowhere: ContainerSource = { kind: "image", reference: "127.0.0.1:1/app:1" };
  await expect(prepare(42, nowhere)).rejects.toMatchObject({ code: "unavailable" });
});

test("a caller who leaves a pull does not disturb the others", async () => {
  const { prepare } = bench();
  const leaving = new AbortController();
  const source = imageSource("team/other:1");
  const left = prepare(43, source, { signal: leaving.signal });
  const stayed = prepare(44, source);
  leaving.abort();
  await expect(left).rejects.toMatchObject({ code: "cancelled" });
  await stayed;
});

test("a Dockerfile is built once per context; its image goes with the last container", async () => {
  const busybox = await readFile("/bin/busybox");
  const { context, source } = await contextOf({
    "deploy/Dockerfile": [
      "FROM scratch",
      "COPY busybox /bin/busybox",
      'RUN ["/bin/busybox", "ln", "-s", "busybox", "/bin/sh"]',
      "COPY greeting /greeting",
      'CMD ["/bin/busybox", "cat", "/greeting"]',
    ].join("\n"),
    busybox,
    greeting: "hello from a build\n",
  });
  const first = bench(context);
  const told: string[] = [];
  await Promise.all([
    first.prepare(10, source, { onProgress: (text) => told.push(text) }),
    first.prepare(11, source),
  ]);
  expect(first.fetched).toEqual([source.context]);
  expect(told.some((text) => text.includes("Step 4/5 : COPY greeting /greeting"))).toBe(true);
  const second = bench(context);
  await second.prepare(12, source);
  expect(second.fetched).toEqual([]);
  expect(await daemon.cli("start", "--attach", "web-0012.1")).toBe("hello from a build");

  const built = () => daemon.cli("images", "--quiet", "evm-build");
  for (const index of [10, 11]) await first.discard(index);
  expect(await built()).not.toBe("");
  await second.discard(12);
  expect(await built()).toBe("");
});

test("what was built for an instance that is not wanted any more goes at once", async () => {
  const { context, source } = await contextOf({
    "deploy/Dockerfile": "FROM evm/busybox:1\nLABEL of=nobody\n",
  });
  const leaving = new AbortController();
  const onProgress = (text: string) => {
    if (text.includes("Successfully tagged")) leaving.abort();
  };
  const left = bench(context).prepare(25, source, { signal: leaving.signal, onProgress });
  await expect(left).rejects.toMatchObject({ code: "cancelled" });
  expect(await daemon.cli("images", "--quiet", "evm-build")).toBe("");
});

test("a build that fails is a wrong order, and its last output is told", async () => {
  const { context, source } = await contextOf({
    "deploy/Dockerfile": "FROM evm/busybox:1\nRUN echo the reason && false\n",
  });
  await expect(bench(context).prepare(20, source)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringMatching(/returned a non-zero code: 1\n(.*\n)*the reason$/),
  });
  const broken = await contextOf({ "deploy/Dockerfile": "FORM nothing\n" });
  await expect(bench(broken.context).prepare(21, broken.source)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringContaining("FORM"),
  });
});

test("a build whose context is nowhere, or breaks off, fails and leaves no image", async () => {
  const { source } = await contextOf({ "deploy/Dockerfile": "FROM scratch\nCOPY . /\n" });
  await expect(bench().prepare(30, source)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringContaining("is not in the store"),
  });
  async function* breaksOff() {
    yield Buffer.alloc(512);
    throw new Error("the store is gone");
  }
  await expect(bench(breaksOff).prepare(31, source)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("the store is gone"),
  });
  expect(await daemon.cli("ps", "--all", "--filter", "name=web-003", "--quiet")).toBe("");
});

type Prepared = { readonly onProgress?: (text: string) => void; readonly signal?: AbortSignal };

/** A new driver, and what it asked the store for. */
function bench(context?: () => AsyncIterable<Uint8Array>) {
  const fetched: Digest[] = [];
  const driver = createDockerDriver({
    owner: "test",
    socketPath: daemon.socketPath,
    getContext: async (digest) => {
      fetched.push(digest);
      return context?.();
    },
    clock: systemClock,
    random: () => 0,
  });
  const prepare = (index: number, source: ContainerSource, options: Prepared = {}) => {
    const { signal = new AbortController().signal, onProgress = () => {} } = options;
    return driver.prepare(containerSpec(index, { source, command: [] }), { signal, onProgress });
  };
  const discard = (index: number) =>
    driver.discard(containerSpec(index), new AbortController().signal);
  return { fetched, prepare, discard };
}

const imageSource = (name: string): ContainerSource => ({
  kind: "image",
  reference: registry.reference(name),
});

async function contextOf(files: { readonly [name: string]: string | Buffer }) {
  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mode: 0o755 }, content);
  archive.finalize();
  const packed = await buffer(archive);
  const digest = `sha256:${createHash("sha256").update(packed).digest("hex")}` as Digest;
  const source = { kind: "build", context: digest, dockerfile: "deploy/Dockerfile" } as const;
  async function* context() {
    yield packed;
  }
  return { context, source };
}
