import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { soon, startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { evm } from "./evm.ts";

const WEB = "name: web\nreplicas: 2\ncontainer: {image: 'web:1'}\nresources: {memoryMib: 64}\n";

test("export writes what restore reads, and restore says what came from where", async () => {
  await using folder = await temporaryDirectory("restore");
  const file = join(folder.path, "cluster.yaml");
  await using old = await startCluster();
  const before = await startHost(old, "h1");
  await evm({ server: old.address, input: WEB }, "apply", "-f", "-", "--wait");
  expect(await evm({ server: old.address }, "export", "-o", file)).toMatchObject({ code: 0 });
  const text = await readFile(file, "utf8");
  expect(text).toContain("name: web");
  const inForce = [...old.store.coordinator("observer").control().orders.values()][0]?.value;
  await before[Symbol.asyncDispose]();

  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1", "ready", undefined, inForce);
  const server = cluster.address;
  const { signal } = soon();
  while (cluster.coordinator.memory.kind === "whole") await setTimeout(20, undefined, { signal });
  expect((await evm({ server }, "status")).out).toMatch(/warning: the control state is older/);
  const refused = await evm({ server, input: WEB }, "apply", "-f", "-");
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("evm restore")]);

  const dry = await evm({ server }, "restore", "-f", file, "--dry-run");
  expect(dry.out).toContain("nothing was written");
  const { code, out } = await evm({ server }, "restore", "-f", file);
  expect(code).toBe(0);
  expect(out).toMatch(/^FLEET +FROM +REPLICAS +ORDERED\nweb +the export +2 +2$/m);
  expect(out).toMatch(/^HOST +ORDERS FROM +GENERATION +ORDERED\nh1 +the host +\d+ +2$/m);
  expect(out).toContain("restored");
});

test("an export that is wrong changes nothing and exits with 2", async () => {
  await using folder = await temporaryDirectory("restore");
  const file = join(folder.path, "cluster.yaml");
  await writeFile(file, "evmExport: 9\n");
  const ran = await evm({ server: "127.0.0.1:1" }, "restore", "-f", file);
  expect(ran.code).toBe(2);
  expect(ran.err).toMatch(/cluster.yaml: evmExport: 9; expected 1/);
  expect(ran.err).toContain("nothing was changed");
});
