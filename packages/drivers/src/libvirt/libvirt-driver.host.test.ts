/** Beyond the contract: what only a real libvirtd and a real guest show. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest, FleetName, VmTemplate } from "@evm/fleet";
import { instanceName, runtimeName } from "@evm/fleet";
import { DEFAULT_SOCKET_PATH } from "@evm/libvirt";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Driver, DriverInstance, InstanceSpec } from "../driver.ts";
import { LibvirtWorld, virsh } from "./libvirt-world.testing.ts";

const PATIENCE = { timeout: 60_000, interval: 50 };
const signal = new AbortController().signal;
const fleet = "libvirt-driver" as FleetName;

let world: LibvirtWorld;
let driver: Driver;
let nextIndex = 0;

beforeEach(async () => {
  world = await LibvirtWorld.open();
  driver = world.connect();
});

afterEach(async () => {
  for (const instance of await driver.list(signal)) await driver.discard(instance, signal);
  await world[Symbol.asyncDispose]();
});

function specWith(change: Partial<VmTemplate> = {}): InstanceSpec {
  const { template, image } = world.template("runs");
  const index = nextIndex++;
  return {
    name: instanceName(fleet, index),
    incarnation: 1,
    fleet,
    index,
    templateDigest: `sha256:${"0".repeat(64)}` as Digest,
    template: { ...template, ...change },
    image,
  };
}

const domainOf = (spec: InstanceSpec) => runtimeName(spec.name, spec.incarnation);
const folderOf = (spec: InstanceSpec) => join(world.folder, "pool/overlays", domainOf(spec));
const prepare = (spec: InstanceSpec, by = driver) =>
  by.prepare(spec, { signal, onProgress: () => {} });

async function find(spec: InstanceSpec, by = driver): Promise<DriverInstance | undefined> {
  return (await by.list(signal)).find((it) => it.name === spec.name);
}

const shows = (spec: InstanceSpec, expected: Partial<DriverInstance>, by = driver) =>
  vi.waitFor(async () => expect(await find(spec, by)).toMatchObject(expected), PATIENCE);

test("virsh sees what was asked for, and nothing of it after a discard", async () => {
  const spec = specWith();
  const told: string[] = [];
  await driver.prepare(spec, { signal, onProgress: (text) => told.push(text) });
  expect(told.some((text) => /^fetching image micro: \d+ of \d+ MiB$/.test(text))).toBe(true);
  expect(await virsh("domstate", domainOf(spec))).toBe("shut off");
  await driver.start(spec, signal);
  expect(await virsh("domstate", domainOf(spec))).toBe("running");
  const xml = await virsh("dumpxml", domainOf(spec));
  expect(xml).toContain(`${folderOf(spec)}/disk.qcow2`);
  expect(xml).toContain(`evm.name=${spec.name}`);
  expect(xml).toContain(`fleet="${fleet}"`);
  await driver.discard(spec, signal);
  expect(await virsh("list", "--all", "--name")).not.toContain(fleet);
  await expect(stat(folderOf(spec))).rejects.toThrow();
});

test("the guest takes its name from its seed, and its user data from the template", async () => {
  const spec = specWith({
    userData: "#!/bin/sh\necho seeded as $(hostname)\n",
    readiness: { text: "seeded as libvirt-driver-", timeoutMs: 60_000 },
  });
  await prepare(spec);
  await driver.start(spec, signal);
  await shows(spec, { state: "ready" });
  const log = await readFile(join(folderOf(spec), "console.log"), "utf8");
  expect(log).toContain(`seeded as ${spec.name}`);
});

test("a guest that prints for ever fills its log to the limit and no more", async () => {
  const flood = "#!/bin/sh\nhead -c 2500000 /dev/zero | tr '\\0' x\necho FLOOD OVER\n";
  const readiness = { text: "FLOOD OVER", timeoutMs: 120_000 };
  const spec = specWith({ userData: flood, readiness });
  await prepare(spec);
  await driver.start(spec, signal);
  await shows(spec, { state: "ready" });
  const logs = (await readdir(folderOf(spec))).filter((name) => name.startsWith("console.log"));
  expect(logs.sort()).toEqual(["console.log", "console.log.0"]);
  for (const log of logs) {
    expect((await stat(join(folderOf(spec), log))).size).toBeLessThanOrEqual(2 << 20);
  }
  // What made it ready may be rotated away by now: a driver that has just started knows it.
  for (const log of logs) await rm(join(folderOf(spec), log));
  expect(await find(spec, world.connect())).toMatchObject({ state: "ready" });
});

test("what others do to a domain is seen: destroyed, started, undefined", async () => {
  const spec = specWith({ readiness: { text: "EVM-GUEST-UP", timeoutMs: 60_000 } });
  await prepare(spec);
  await driver.start(spec, signal);
  await shows(spec, { state: "ready" });
  const disk = await stat(join(folderOf(spec), "disk.qcow2"));
  const before = await find(spec);

  await virsh("destroy", domainOf(spec));
  const reason = "its power was cut";
  await shows(spec, { state: "exited", exit: "failure", reason });
  await virsh("start", domainOf(spec));
  await shows(spec, { state: "running", exit: undefined, reason: undefined });
  expect((await find(spec))?.startedAt).toBeGreaterThan(before?.startedAt ?? Infinity);
  await shows(spec, { state: "ready" });

  await virsh("destroy", domainOf(spec));
  await virsh("undefine", domainOf(spec));
  expect(await find(spec)).toBeUndefined();
  await prepare(spec);
  expect(await find(spec)).toMatchObject({ state: "created" });
  expect((await stat(join(folderOf(spec), "disk.qcow2"))).ino).toBe(disk.ino);
});

test("what another EVM runs by the same libvirtd is foreign", async () => {
  const spec = specWith();
  await prepare(spec);
  await driver.start(spec, signal);
  const other = world.connect({ owner: "another" });
  expect(await other.list(signal)).toEqual([]);
  await other.discard(spec, signal);
  await expect(prepare(spec, other)).rejects.toMatchObject({ code: "failed" });
  expect(await virsh("domstate", domainOf(spec))).toBe("running");
});

test("a domain whose disk is gone is broken, and preparing it makes no other disk", async () => {
  const spec = specWith();
  await prepare(spec);
  await rm(join(folderOf(spec), "disk.qcow2"));
  expect(await find(spec)).toMatchObject({ state: "broken", reason: expect.any(String) });
  await prepare(spec);
  expect(await find(spec)).toMatchObject({ state: "broken" });
});

test("the address is the one that libvirt's network handed out", async () => {
  const name = "evm-test";
  const xml = join(world.folder, "network.xml");
  const range = "<dhcp><range start='192.168.199.2' end='192.168.199.9'/></dhcp>";
  const ip = `<ip address='192.168.199.1' netmask='255.255.255.0'>${range}</ip>`;
  await writeFile(xml, `<network><name>${name}</name><bridge name='evmtest0'/>${ip}</network>`);
  await virsh("net-create", xml);
  try {
    const networked = world.connect({ network: { kind: "network", name } });
    const spec = specWith();
    await prepare(spec, networked);
    await networked.start(spec, signal);
    const address = expect.stringMatching(/^192\.168\.199\.[2-9]$/);
    await shows(spec, { state: "ready", address });
    await driver.discard(spec, signal);
  } finally {
    await virsh("net-destroy", name);
  }
});

test("libvirt's schema accepts every golden", async () => {
  const folder = join(import.meta.dirname, "goldens");
  for (const golden of await readdir(folder)) {
    const text = await readFile(join(folder, golden), "utf8");
    const path = join(world.folder, golden);
    // This machine may have no KVM; the schema does not care.
    const emulated = text.replace('type="kvm"', 'type="qemu"').replace("host-model", "maximum");
    await writeFile(path, emulated.replaceAll("school-linux-0042.3", "evm-golden"));
    await virsh("define", "--validate", path);
    await virsh("undefine", "evm-golden");
  }
});

test("while libvirtd is away every verb says so; then the driver is back by itself", async () => {
  await using daemon = await DaemonDoor.open();
  const driver = world.connect({ socketPath: daemon.socketPath });
  const onChange = vi.fn();
  const ending = new AbortController();
  const watching = driver.watch(onChange, ending.signal);
  const spec = specWith();
  await prepare(spec, driver);
  await driver.start(spec, signal);
  const before = await find(spec, driver);

  await daemon.shut();
  const unavailable = { code: "unavailable", isTransient: true };
  await expect(driver.list(signal)).rejects.toMatchObject(unavailable);
  await expect(driver.start(spec, signal)).rejects.toMatchObject(unavailable);
  expect(await driver.probe(signal)).toMatchObject({ isUsable: false });
  onChange.mockClear();

  await daemon.reopen();
  await vi.waitFor(async () => expect(await find(spec, driver)).toEqual(before), PATIENCE);
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), PATIENCE);
  ending.abort();
  await watching;
});

test("verbs in flight when libvirtd ends say so, and can be repeated", async () => {
  await using daemon = await DaemonDoor.open();
  const driver = world.connect({ socketPath: daemon.socketPath });
  const spec = specWith();
  await prepare(spec, driver);
  await driver.start(spec, signal);
  const unavailable = { code: "unavailable", isTransient: true };
  await using session = await driver.console(spec, signal);
  const show = async () => {
    for await (const _ of session.output);
  };
  const shown = expect(show()).rejects.toMatchObject(unavailable);
  const stop = driver.stop(spec, { graceMs: 60_000, signal });
  const stopped = expect(stop).rejects.toMatchObject(unavailable);
  // By then the stop waits for the guest.
  await driver.list(signal);
  await daemon.shut();
  await Promise.all([shown, stopped]);

  await daemon.reopen();
  await shows(spec, { state: "ready" }, driver);
  await driver.stop(spec, { graceMs: 0, signal });
  expect(await virsh("domstate", domainOf(spec))).toBe("shut off");
});

test("a probe says what VMs run on, and what could be better", async () => {
  const probe = await driver.probe(signal);
  expect(probe).toMatchObject({ isUsable: true });
  if (probe.isUsable) expect(probe.detail).toMatch(/^(kvm|qemu emulation), QEMU \d.*, libvirt \d/);
  const nowhere = world.connect({ socketPath: join(world.folder, "nowhere") });
  const remedy = expect.stringContaining("start libvirtd");
  const unusable = { isUsable: false, reason: expect.stringContaining("nowhere"), remedy };
  expect(await nowhere.probe(signal)).toMatchObject(unusable);
});

/** A way to the real libvirtd that can be shut, as if it had ended. */
class DaemonDoor implements AsyncDisposable {
  readonly socketPath: string;
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.socketPath = join(folder, "libvirt-sock");
  }

  static async open(): Promise<DaemonDoor> {
    const folder = await mkdtemp(join(tmpdir(), "evm-door-"));
    const door = new DaemonDoor(folder);
    await door.reopen();
    return door;
  }

  async reopen(): Promise<void> {
    const server = createServer((client) => {
      const daemon = connectSocket(DEFAULT_SOCKET_PATH);
      for (const [socket, other] of [[client, daemon] as const, [daemon, client] as const]) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on("error", () => other.destroy());
        socket.on("close", () => other.destroy());
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
  }

  async shut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shut();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
