import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseExport } from "@evm/codec";
import type { ClusterExport } from "@evm/fleet";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { micro, testTelemetry } from "../test/cluster.ts";
import { Announcer } from "./announcer.ts";
import { type ExportFolder, exportFolder } from "./export-folder.ts";
import { Exporter } from "./exporter.ts";

const INTERVAL_MS = 60_000;

const anExport = (at: number, urls: string): ClusterExport => ({
  exportedAt: at,
  epoch: 3,
  revision: at,
  fleets: [],
  images: [{ ...micro, disk: { ...micro.disk, url: `file:///${urls}` } }],
  hosts: [],
});

class MemoryFolder implements ExportFolder {
  readonly files = new Map<string, string>();
  isFull = false;

  async list() {
    return [...this.files.keys()].sort();
  }

  async read(name: string) {
    return this.files.get(name) ?? "";
  }

  async write(name: string, text: string) {
    if (this.isFull) throw new Error("ENOSPC: no space left on device");
    this.files.set(name, text);
  }

  async remove(name: string) {
    this.files.delete(name);
  }
}

function start(folder: ExportFolder, keep = 3) {
  const clock = new ManualClock();
  const { log, metrics, registry } = testTelemetry();
  const events: string[] = [];
  const add = (event: { reason: string }) => events.push(event.reason);
  const announcer = new Announcer({ id: "a", clock, add });
  const end = new AbortController();
  const state = { value: undefined as string | undefined };
  const take = () => (state.value === undefined ? undefined : anExport(clock.now(), state.value));
  const options = { folder, intervalMs: INTERVAL_MS, keep, take, clock, log, announcer, metrics };
  const running = new Exporter(options).run(end.signal).catch(() => undefined);
  return {
    ...{ clock, events, state, registry },
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

test("an export is written when something changed, and the newest are kept", async () => {
  const folder = new MemoryFolder();
  await using exporter = start(folder);
  await exporter.clock.advance(INTERVAL_MS);
  expect(folder.files.size).toBe(0);
  const written: string[] = [];
  for (const value of ["a", "a", "b", "c", "c", "d"]) {
    exporter.state.value = value;
    await exporter.clock.advance(INTERVAL_MS);
    written.push([...folder.files.values()].map((text) => /\/\/\/(\w)/.exec(text)?.[1]).join(""));
  }
  expect(written).toEqual(["a", "a", "ab", "abc", "abc", "bcd"]);
});

test("after a restart what the newest export says is not written again", async () => {
  const folder = new MemoryFolder();
  for (const expected of [1, 1]) {
    await using exporter = start(folder);
    exporter.state.value = "a";
    await exporter.clock.advance(2 * INTERVAL_MS);
    expect(folder.files.size).toBe(expected);
  }
});

test("a failure is told once, and the next success ends it", async () => {
  const folder = new MemoryFolder();
  await using exporter = start(folder);
  exporter.state.value = "a";
  folder.isFull = true;
  await exporter.clock.advance(3 * INTERVAL_MS);
  expect(exporter.events).toEqual(["ExportFailed"]);
  folder.isFull = false;
  await exporter.clock.advance(INTERVAL_MS);
  expect(folder.files.size).toBe(1);
  const told = await exporter.registry.metrics();
  expect(told).toMatch(/evm_exports_total\{outcome="failed"\} [1-9]/);
  expect(told).toContain('evm_exports_total{outcome="written"} 1');
});

test("a real folder has whole files only, and leaves alone what is not its own", async () => {
  const path = await mkdtemp(join(tmpdir(), "evm-exports-"));
  try {
    await writeFile(join(path, "notes.txt"), "mine");
    const folder = exportFolder(join(path, "made"));
    expect(await folder.list()).toEqual([]);
    await folder.write("evm-2026-01-01T00-00-00.000Z.yaml", "one");
    await folder.write("evm-2026-01-02T00-00-00.000Z.yaml", "two");
    expect(await folder.list()).toHaveLength(2);
    expect(await folder.read("evm-2026-01-02T00-00-00.000Z.yaml")).toBe("two");
    await folder.remove("evm-2026-01-01T00-00-00.000Z.yaml");
    expect(await readdir(join(path, "made"))).toEqual(["evm-2026-01-02T00-00-00.000Z.yaml"]);
    expect(await exportFolder(path).list()).toEqual([]);
    expect(await readFile(join(path, "notes.txt"), "utf8")).toBe("mine");
  } finally {
    await rm(path, { recursive: true });
  }
});

test("what is written can be read", async () => {
  const folder = new MemoryFolder();
  await using exporter = start(folder);
  exporter.state.value = "a";
  await exporter.clock.advance(INTERVAL_MS);
  const [[file = "", text = ""] = []] = [...folder.files];
  expect(parseExport({ file, text }).images[0]?.disk.url).toBe("file:///a");
});
