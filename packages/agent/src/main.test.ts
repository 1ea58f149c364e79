import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { AgentProcess } from "./agent-process.testing.ts";
import { defaultHost, loadConfig } from "./config.ts";
import { openStateDir } from "./state-dir.ts";

test("the program comes up without its store, alone on its pool, and ends on SIGTERM", async () => {
  await using directory = await temporaryDirectory("agent");
  await using agent = new AgentProcess({
    HOST: "h1",
    NATS_SERVERS: "[nats://127.0.0.1:1]",
    STATE_DIR: join(directory.path, "state"),
    POOLS: `[{name: main, path: ${directory.path}}]`,
    DRIVERS: "[]",
    METRICS__PORT: "0",
  });
  const { port } = await agent.said("serving metrics");
  await agent.said("ready");
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect([health.status, await health.text()]).toEqual([200, "ok\n"]);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain("evm_agent_pass_duration_seconds_count");
  await using second = new AgentProcess({
    HOST: "h2",
    STATE_DIR: join(directory.path, "other-state"),
    POOLS: `[{name: main, path: ${directory.path}}]`,
  });
  const { error } = await second.said("the agent has failed");
  expect(error).toContain(`taking ${directory.path}: another agent uses it`);
  expect(await agent.end()).toBe(0);
});

test("a pool that is not there is an error that names it", async () => {
  await using directory = await temporaryDirectory("agent");
  const path = join(directory.path, "missing");
  await using agent = new AgentProcess({
    STATE_DIR: directory.path,
    POOLS: `[{name: big, path: ${path}}]`,
  });
  const { error } = await agent.said("the agent has failed");
  expect(error).toContain(`pool big: ${path} is to be a folder`);
});

test("every wrong setting is named with its source, its value and what was expected", async () => {
  await using directory = await temporaryDirectory("agent");
  const file = join(directory.path, "agent.yaml");
  await writeFile(file, "host: Not_A_Host\npools: []\nlabel: {}\n");
  const load = () => loadConfig(file, { EVM_AGENT_METRICS__PORT: "-1" });
  expect(load).toThrow(`${file}: host: "Not_A_Host"; expected a host name`);
  expect(load).toThrow(`${file}: pools: []; expected at least one pool`);
  expect(load).toThrow("EVM_AGENT_METRICS__PORT: metrics.port: -1");
  expect(load).toThrow("label");
});

test("a host is named after its machine, in what letters a host may have", () => {
  expect(defaultHost("Node_7.rack.example")).toBe("node-7");
  expect(defaultHost("-")).toBe("host");
});

test("a file of the state directory is replaced whole, and can be set aside", async () => {
  await using directory = await temporaryDirectory("agent");
  await using state = await openStateDir(join(directory.path, "state"));
  expect(await state.read("orders")).toBeUndefined();
  await state.write("orders", Buffer.from("one"));
  await state.write("orders", Buffer.from("two"));
  expect(Buffer.from((await state.read("orders")) ?? []).toString()).toBe("two");
  await state.setAside("orders");
  expect(await state.read("orders")).toBeUndefined();
});

test("a state directory serves one agent at a time", async () => {
  await using directory = await temporaryDirectory("agent");
  {
    await using _first = await openStateDir(directory.path);
    await expect(openStateDir(directory.path)).rejects.toThrow("another agent uses it");
  }
  await using _second = await openStateDir(directory.path);
});
