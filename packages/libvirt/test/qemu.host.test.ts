// The client against real guests: firmware only, emulated, and so up within a second.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Connection,
  CreateFlags,
  connect,
  DestroyFlags,
  type Domain,
  isNoDomain,
  type LifecycleWatch,
  type Pool,
  StatsGroups,
  UndefineFlags,
} from "../src/index.ts";
import { describeWithLibvirtd, type PrivateLibvirtd, startLibvirtd } from "./libvirtd.ts";

const domainXml = (name: string): string =>
  `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>` +
  "<os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>" +
  "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>" +
  "<serial type='pty'/><console type='pty'/></devices></domain>";

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Longer than the firmware takes to print, emulated on a busy machine. */
const REPRINT_MS = 5_000;

/** Reads until `text` has come. */
async function until(source: AsyncIterable<Buffer>, text: string): Promise<true> {
  let read = "";
  for await (const chunk of source) {
    read += chunk.toString("latin1");
    if (read.includes(text)) return true;
  }
  throw new Error(`the stream ended without "${text}"`);
}

async function eventsUntil(watch: LifecycleWatch, last: string): Promise<string[]> {
  const events: string[] = [];
  for await (const { event, detail } of watch) {
    events.push(`${event}/${detail}`);
    if (event === last) break;
  }
  return events;
}

describeWithLibvirtd("with QEMU", () => {
  let daemon: PrivateLibvirtd;
  let connection: Connection;

  beforeAll(async () => {
    daemon = await startLibvirtd();
    connection = await connect({ socketPath: daemon.socketPath, uri: "qemu:///system" });
  });
  afterAll(async () => {
    await connection.close();
    await daemon[Symbol.asyncDispose]();
  });

  test("the host tells its memory and what its domains may have", async () => {
    const { host } = connection;
    expect(await host.driver()).toBe("QEMU");
    expect(await host.hypervisorVersion()).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await host.hostname()).not.toBe("");
    const memory = await host.memoryStats();
    expect(memory.get("total")).toBeGreaterThan(memory.get("free") ?? 0);
    const capabilities = await host.domainCapabilities({ virtType: "qemu", machine: "q35" });
    expect(capabilities).toContain("<domainCapabilities>");
  });

  test("a guest is defined, boots, is measured, is paused, and is removed", async () => {
    const { domains } = connection;
    await using watch = await domains.watch();
    const guest = await domains.define(domainXml("life"));
    const started = await domains.create(guest, { flags: CreateFlags.paused });
    expect(started.id).toBeGreaterThan(0);
    expect(await domains.state(guest)).toMatchObject({ state: "paused" });
    await domains.resume(guest);
    expect(await domains.state(guest)).toEqual({ state: "running", reason: "unpaused" });
    const [stats] = await domains.stats({
      domains: [guest],
      groups: StatsGroups.state | StatsGroups.balloon | StatsGroups.cpuTotal | StatsGroups.vcpu,
    });
    expect(stats?.parameters.get("balloon.maximum")).toBe(32 * 1024);
    expect(stats?.parameters.get("vcpu.current")).toBe(1);
    await domains.reset(guest);
    await domains.destroy(guest, { flags: DestroyFlags.graceful });
    expect(await domains.state(guest)).toEqual({ state: "shutoff", reason: "destroyed" });
    await domains.undefine(guest, { flags: UndefineFlags.managedSave | UndefineFlags.nvram });
    await expect(domains.xml(guest)).rejects.toSatisfy(isNoDomain);
    expect(await eventsUntil(watch, "undefined")).toEqual([
      "defined/added",
      "started/booted",
      "suspended/paused",
      "resumed/unpaused",
      "shutdown/host",
      "stopped/destroyed",
      "undefined/removed",
    ]);
  });

  describe("a guest's console", () => {
    let guest: Domain;
    beforeAll(async () => {
      guest = await connection.domains.createXml(domainXml("console"));
    });

    test("shows what the firmware prints, takes input, and is let go of", async () => {
      using console = await connection.domains.openConsole(guest);
      const shown = until(console, "SeaBIOS");
      // QEMU drops what is printed before it has noticed that its console is open.
      while (!(await Promise.race([shown, delay(REPRINT_MS, false)]))) {
        await connection.domains.reset(guest);
      }
      await console.write(Buffer.from("\r"));
      await console.finish();
    });

    test("is freed by an abort for the next to open it", async () => {
      const abort = new AbortController();
      const { signal } = abort;
      const console = await connection.domains.openConsole(guest, { device: "serial0", signal });
      abort.abort();
      await expect(console.finish()).rejects.toMatchObject({ code: "aborted" });
      using again = await connection.domains.openConsole(guest, { device: "serial0" });
      await again.finish();
    });

    test("ends with the guest", async () => {
      using console = await connection.domains.openConsole(guest);
      const reading = collect(console);
      await connection.domains.destroy(guest);
      await reading;
    });
  });

  describe("a volume", () => {
    const MIB = 2 ** 20;
    let pool: Pool;
    beforeAll(async () => {
      const path = join(daemon.folder, "pool");
      await mkdir(path);
      const xml = `<pool type='dir'><name>p</name><target><path>${path}</path></target></pool>`;
      pool = await connection.pools.createXml(xml);
    });

    const create = (name: string) =>
      connection.volumes.create(
        pool,
        `<volume><name>${name}</name><capacity>${16 * MIB}</capacity></volume>`,
      );
    // Different everywhere, so that a chunk at the wrong place shows.
    const content = Buffer.alloc(16 * MIB);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);

    async function* inParts(bytes: number) {
      for (let at = 0; at < content.length; at += bytes) yield content.subarray(at, at + bytes);
    }

    test("comes back as it was uploaded, whole and in part", async () => {
      const { volumes } = connection;
      const volume = await create("whole");
      await volumes.upload(volume, inParts(1_000_003));
      const back = await collect(volumes.download(volume));
      expect(back.equals(content)).toBe(true);
      const range = { offsetBytes: 5 * MIB, lengthBytes: 3 * MIB };
      const part = await collect(volumes.download(volume, range));
      expect(part.equals(content.subarray(5 * MIB, 8 * MIB))).toBe(true);
    });

    test("can be left in the middle of a transfer, and the connection goes on", async () => {
      const { volumes } = connection;
      const volume = await create("part");
      await volumes.upload(volume, inParts(MIB));
      for await (const chunk of volumes.download(volume)) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      const abort = new AbortController();
      const upload = volumes.upload(volume, inParts(MIB), { signal: abort.signal });
      abort.abort();
      await expect(upload).rejects.toMatchObject({ code: "aborted" });
      expect((await volumes.info(volume)).capacityBytes).toBe(16 * MIB);
    });

    test("grows, and is deleted", async () => {
      const { volumes } = connection;
      const volume = await create("grows");
      await volumes.resize(volume, 32 * MIB);
      expect((await volumes.info(volume)).capacityBytes).toBe(32 * MIB);
      const shrink = volumes.resize(volume, 8 * MIB);
      await expect(shrink).rejects.toMatchObject({ code: "INVALID_ARG" });
      await volumes.delete(volume);
      await connection.pools.refresh(pool);
      const names = (await volumes.list(pool)).map(({ name }) => name);
      expect(names).not.toContain("grows");
    });
  });
});
