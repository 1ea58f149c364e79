/** With the tools and file systems of a real host: qemu-img, genisoimage, a disk that is full. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Digest, Image, ImageName } from "@evm/fleet";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createImageCache } from "./image-cache.ts";
import { missingPackages } from "./missing-packages.ts";
import { writeSeed } from "./seed.ts";

const run = promisify(execFile);
const MIB = 1 << 20;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "evm-images-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const options = () => ({ signal: new AbortController().signal, onProgress: () => undefined });

async function artifactOf(path: string) {
  const bytes = await readFile(path);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
  return { url: pathToFileURL(path).href, digest, sizeBytes: bytes.length };
}

async function imageOf(disk: string, diskFormat: "qcow2" | "raw" = "qcow2"): Promise<Image> {
  const kernel = join(folder, "vmlinuz");
  await writeFile(kernel, "a kernel");
  return {
    name: "micro" as ImageName,
    osFamily: "linux",
    disk: await artifactOf(disk),
    diskFormat,
    boot: { kind: "kernel", kernel: await artifactOf(kernel), initrd: undefined, cmdline: "" },
  };
}

async function qcow2(size: string, ...more: string[]): Promise<string> {
  const path = join(folder, `${size}.qcow2`);
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...more, path, size]);
  return path;
}

async function cacheOn(...names: string[]) {
  const pools = names.map((name) => ({ name, path: join(folder, name) }));
  for (const { path } of pools) await mkdir(path, { recursive: true });
  return createImageCache({ pools, fetch, random: () => 0.5 });
}

async function info(path: string): Promise<Record<string, unknown>> {
  return JSON.parse((await run("qemu-img", ["info", "--output=json", path])).stdout);
}

const request = (image: Image, name = "school-0001.1") => ({ name, image, diskMib: 256 });

test("an overlay is a linked clone of the verified base, as large as asked", async () => {
  const cache = await cacheOn("main");
  const image = await imageOf(await qcow2("64M"));
  const path = await cache.createOverlay(request(image), options());
  expect(path).toBe(join(folder, "main/overlays/school-0001.1/disk.qcow2"));
  expect(await info(path)).toMatchObject({
    format: "qcow2",
    "virtual-size": 256 * MIB,
    "backing-filename": await cache.ensure(image.disk, options()),
    "backing-filename-format": "qcow2",
  });
});

test("an overlay is never smaller than its base, be it raw or qcow2", async () => {
  const cache = await cacheOn("main");
  const raw = join(folder, "raw.img");
  await writeFile(raw, "");
  await truncate(raw, 16 * MIB);
  const small = { ...request(await imageOf(raw, "raw"), "raw.1"), diskMib: 8 };
  const onRaw = await cache.createOverlay(small, options());
  expect(await info(onRaw)).toMatchObject({ "virtual-size": 16 * MIB });
  const image = await imageOf(await qcow2("512M"));
  expect(await info(await cache.createOverlay(request(image), options()))).toMatchObject({
    "virtual-size": 512 * MIB,
  });
});

test("an overlay that is there is kept with its data", async () => {
  const cache = await cacheOn("main");
  const image = await imageOf(await qcow2("64M"));
  const path = await cache.createOverlay(request(image), options());
  await run("qemu-io", ["-c", "write -P 7 0 4096", path]);
  const again = await cacheOn("main");
  expect(await again.createOverlay(request(image), options())).toBe(path);
  const { stdout } = await run("qemu-io", ["-c", "read -P 7 0 4096", path]);
  expect(stdout).not.toContain("verification failed");
});

test("an overlay stays on the pool where it is, and brings its base back there", async () => {
  const image = await imageOf(await qcow2("64M"));
  const onlyB = await cacheOn("b");
  const path = await onlyB.createOverlay(request(image), options());
  await rm(join(folder, "b/bases"), { recursive: true });
  const both = await cacheOn("a", "b");
  await both.ensure(image.disk, options());
  expect(await both.createOverlay(request(image), options())).toBe(path);
  expect((await run("qemu-img", ["check", path])).stderr).toBe("");
});

test("an artifact is not evicted while an overlay's image is made of it", async () => {
  const cache = await cacheOn("main");
  const image = await imageOf(await qcow2("64M"));
  const making = cache.createOverlay(request(image), options());
  expect(await cache.evict(image.disk.digest)).toBe(false);
  await making;
  expect(await cache.evict(image.disk.digest)).toBe(false);
  if (image.boot.kind === "kernel") {
    expect(await cache.evict(image.boot.kernel.digest)).toBe(false);
  }
  await cache.removeOverlay("school-0001.1");
  await cache.removeOverlay("school-0001.1");
  expect(await cache.evict(image.disk.digest)).toBe(true);
  expect(await readdir(join(folder, "main/overlays"))).toEqual([]);
});

test("an image that would open other files of the host is refused", async () => {
  const cache = await cacheOn("main");
  const secret = await qcow2("1M");
  const image = await imageOf(await qcow2("64M", "-b", secret, "-F", "qcow2"));
  const making = cache.createOverlay(request(image), options());
  await expect(making).rejects.toThrow(/has a backing or data file/);
});

test("a name that leaves the folder of overlays is refused", async () => {
  const cache = await cacheOn("main");
  const image = await imageOf(await qcow2("64M"));
  for (const name of ["../x", "a/b", ".", "..", ""]) {
    await expect(cache.createOverlay(request(image, name), options())).rejects.toMatchObject({
      code: "invalid",
    });
    await expect(cache.removeOverlay(name)).rejects.toMatchObject({ code: "invalid" });
  }
});

test("a disk that fills up is a clear error and leaves nothing half-done", async () => {
  const pool = join(folder, "small");
  await mkdir(pool);
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", pool]);
  try {
    const disk = join(folder, "disk.raw");
    await writeFile(disk, randomBytes(3 * MIB));
    const image = await imageOf(disk, "raw");
    const cache = await cacheOn("small");
    // There is room when the download begins, and none when it goes on.
    const onProgress = () => {
      try {
        writeFileSync(join(pool, "other"), randomBytes(4 * MIB));
      } catch (error) {
        expect(error).toMatchObject({ code: "ENOSPC" });
      }
    };
    const filling = cache.ensure(image.disk, { ...options(), onProgress });
    await expect(filling).rejects.toMatchObject({ code: "exhausted", isTransient: true });
    expect(await readdir(join(pool, "bases"))).toEqual([]);
    expect(await readdir(join(pool, "partial"))).toEqual([]);
  } finally {
    await run("umount", [pool]);
  }
});

test("a seed is an ISO image labelled for cloud-init, with the files in it", async () => {
  const path = join(folder, "seed.iso");
  const identity = { hostname: "a-0001", instanceId: "a-0001.1" };
  const seed = { ...identity, userData: "#cloud-config\n", networkConfig: undefined };
  await writeSeed(seed, path, options().signal);
  await writeSeed(seed, path, options().signal);
  expect((await readFile(path)).subarray(0x8000 + 40, 0x8000 + 46).toString()).toBe("cidata");
  const { stdout } = await run("isoinfo", ["-i", path, "-J", "-x", "/meta-data"]);
  expect(stdout).toContain('local-hostname: "a-0001"');
  expect(await readdir(folder)).toEqual(["seed.iso"]);
});

test("tools that are not installed are named by their packages", async () => {
  expect(await missingPackages(options().signal)).toEqual([]);
  vi.stubEnv("PATH", folder);
  try {
    expect(await missingPackages(options().signal)).toEqual(["qemu-utils", "genisoimage"]);
  } finally {
    vi.unstubAllEnvs();
  }
});
