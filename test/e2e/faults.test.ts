/** Faults of a host's disk, of an image, of libvirtd, of the agent: said, borne, healed. */
import { createReadStream } from "node:fs";
import { chmod, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateLibvirtd, startLibvirtd } from "../../packages/libvirt/test/libvirtd.ts";
import { eventually } from "../support/eventually.ts";
import { guestFile } from "../support/guest.ts";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { documents, type Evm } from "./support/evm.ts";
import { containers, vms } from "./support/fleets.ts";
import { docker as dockerTool, Footprint } from "./support/footprint.ts";
import { Parts } from "./support/parts.ts";

/** Room for the guest's files and a few disks. */
const POOL_SIZE = "128m";
/** Less than the smallest file of the guest. */
const LEFT_FREE_BYTES = 128 * 1024;
/** In the agent's words, or in the planner's if that has heard of the full pool in time. */
const NO_ROOM = /no pool has room: \d+ bytes needed, \d+ free|needs \d+ MiB in a pool for image/;
const FROZEN_MS = 3_000;

describeIf([root, libvirt, docker, natsServer, guest], "a host with faults", () => {
  const resources = new AsyncDisposableStack();
  let libvirtd: PrivateLibvirtd;
  let footprint: Footprint;
  let parts: Parts;
  let evm: Evm;
  let pool = "";
  /** The names of the fleets. */
  let [linux, web] = ["", ""];

  beforeAll(async () => {
    pool = await mountPool(resources);
    libvirtd = resources.use(await startLibvirtd());
    const { socketPath, folder } = libvirtd;
    const uri = `qemu:///system?socket=${socketPath}`;
    const runFolder = join(folder, "run");
    footprint = resources.use(await Footprint.make("faults", { uri, runFolder }));
    [linux, web] = [footprint.fleet("linux"), footprint.fleet("web")];
    const settings = { libvirt: { socketPath } };
    parts = resources.use(await Parts.start(footprint, { pool, settings }));
    ({ evm } = parts);
    await evm.addGuest("micro");
  });
  afterAll(() => resources.disposeAsync());

  const running = async () => ({
    qemus: await footprint.qemus(),
    containers: await footprint.containers(),
  });

  const overlays = (): Promise<readonly string[]> =>
    readdir(join(pool, "overlays")).catch(() => []);

  test("a full pool is named as the reason, nothing is half done, and room heals it", async () => {
    const ballast = join(pool, "ballast");
    const { bavail, bsize } = await statfs(pool);
    await writeFile(ballast, Buffer.alloc(bavail * bsize - LEFT_FREE_BYTES, 1));
    await evm.ok(["apply", "-f", "-"], documents(vms({ name: linux })));
    await eventually(
      "evm explain says that there is no room",
      async () => {
        const explained = await evm.ok(["explain", `${linux}-0000`]);
        return NO_ROOM.test(explained) ? true : undefined;
      },
      { state: () => evm.instances() },
    );
    expect(await footprint.domains()).toEqual([]);
    expect(await overlays()).toEqual([]);
    expect(await readdir(join(pool, "partial"))).toEqual([]);

    await rm(ballast);
    await evm.apply(vms({ name: linux }));
    expect(Object.keys(await footprint.qemus())).toEqual([`${linux}-0000.1`]);
  });

  test("an image that is not what its digest says is refused, with both digests", async () => {
    const name = footprint.fleet("wrong");
    const digest = "0".repeat(64);
    const url = await serveFile(guestFile("disk.qcow2"), resources);
    await evm.addGuest("wrong", "--disk", url, "--disk-sha256", digest, "--format", "qcow2");
    const wrong = documents(vms({ name }, "wrong"));
    const { code, err } = await evm.run(["apply", "-f", "-", "--wait"], wrong);
    expect(err).toMatch(new RegExp(`expected sha256:${digest}, got sha256:[0-9a-f]{64}`));
    expect(err).toContain(url);
    expect(code).toBe(1);
    expect(await footprint.domains()).toEqual([`${linux}-0000.1`]);
    expect(await overlays()).toEqual([`${linux}-0000.1`]);
    expect(await readdir(join(pool, "bases"))).not.toContain(digest);
    await evm.delete(name);
  });

  test("a libvirtd that crashes takes nothing with it, and the next one is used", async () => {
    await evm.apply(containers({ name: web }));
    const before = await running();
    await libvirtd.crash();
    expect(await running()).toEqual(before);

    await evm.scale(linux, 2);
    const after = await running();
    expect(after.qemus).toMatchObject(before.qemus);
    expect(Object.keys(after.qemus)).toHaveLength(2);
    expect(after.containers).toEqual(before.containers);
    const instances = await evm.instances();
    expect(instances.map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  });

  test("an agent that stood still leaves alone what runs, and heals what ended", async () => {
    const before = await running();
    const { id, startedAt } = await footprint.container(`${web}-0000`);
    parts.agent.kill("SIGSTOP");
    await dockerTool("kill", id);
    // That time passes is the fault.
    await delay(FROZEN_MS);
    parts.agent.kill("SIGCONT");
    await eventually("the container runs again", async () => {
      const now = await footprint.container(`${web}-0000`);
      return now.id === id && now.isRunning && now.startedAt !== startedAt ? true : undefined;
    });
    expect((await running()).qemus).toEqual(before.qemus);
  });

  test("all of it can be deleted in the end", async () => {
    await evm.delete(linux, web);
    expect(await running()).toEqual({ qemus: {}, containers: [] });
    expect(await footprint.domains()).toEqual([]);
    expect(await overlays()).toEqual([]);
  });
});

/** A file system of its own, small enough to be filled. */
async function mountPool(resources: AsyncDisposableStack): Promise<string> {
  const { path } = resources.use(await temporaryDirectory("e2e-pool"));
  await chmod(path, 0o755);
  await run("mount", "-t", "tmpfs", "-o", `size=${POOL_SIZE},mode=755`, "tmpfs", path);
  resources.defer(async () => {
    await run("umount", path);
  });
  return path;
}

/** Serves one file over HTTP; returns its URL. */
async function serveFile(path: string, resources: AsyncDisposableStack): Promise<string> {
  const { size } = await stat(path);
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-length": size });
    if (request.method === "HEAD") response.end();
    else createReadStream(path).pipe(response);
  });
  resources.use(server);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/disk.qcow2`;
}
