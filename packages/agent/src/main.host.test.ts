/** The agent's program with a real nats-server and a real Docker daemon. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { HostName, Orders } from "@evm/fleet";
import { type CoordinatorStore, connectCoordinator } from "@evm/store";
import { expect, test } from "vitest";
import { startNatsServer } from "../../../test/support/nats-server.ts";
import { describeIf, docker, natsServer } from "../../../test/support/requires.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { AGENT_ID_FILE } from "./agent-id.ts";
import { AgentProcess } from "./agent-process.testing.ts";
import { AGENT, FLEET, TEMPLATES, web } from "./agent-world.testing.ts";

const HOST = `h${process.pid}` as HostName;
/** Far above what any step takes: a hang ends with an error. */
const soon = () => AbortSignal.timeout(60_000);
const run = promisify(execFile);

/** Of a container, as Docker itself says; undefined where there is none. */
async function inspect(id: string): Promise<{ id: string; pid: number } | undefined> {
  const format = "{{.Id}} {{.State.Pid}}";
  try {
    const { stdout } = await run("docker", ["inspect", "--format", format, id]);
    const [full = "", pid = ""] = stdout.trim().split(" ");
    return { id: full, pid: Number(pid) };
  } catch {
    return undefined;
  }
}

async function containersOf(name: string): Promise<readonly string[]> {
  const { stdout } = await run("docker", ["ps", "-aq", "--no-trunc", "--filter", `name=${name}`]);
  return stdout.split("\n").filter((id) => id !== "");
}

const ordersFor = (epoch: number, generation: number, desired: "run" | "discard"): Orders => ({
  host: HOST,
  agent: AGENT,
  epoch,
  generation,
  templates: [
    {
      ...TEMPLATES.container,
      template: {
        kind: "container",
        resources: { vcpuMillis: 100, memoryMib: 32, diskMib: 16 },
        source: { kind: "image", reference: "evm/busybox:1" },
        command: ["sleep", "3600"],
        environment: {},
        ports: [],
        healthCheck: undefined,
      },
    },
  ],
  fleets: [FLEET],
  instances: [
    {
      ...web(0, process.pid),
      fleet: FLEET.name,
      index: 0,
      template: TEMPLATES.container.digest,
      desired,
    },
  ],
});

async function commit(store: CoordinatorStore, value: Orders): Promise<void> {
  const expectedRevision = store.control().orders.get(HOST)?.revision ?? 0;
  const request = {
    epoch: value.epoch,
    orders: [{ value, expectedRevision }],
    fleets: [],
    forgottenFleets: [],
  };
  const outcome = await store.commit(request, soon());
  if (outcome.kind !== "committed") throw new Error(outcome.reason);
  await store.caughtUp(outcome.revision, soon());
}

/** Resolves once the report of the host is so. */
async function reported(
  store: CoordinatorStore,
  isSo: (phases: readonly string[], restarts: number) => boolean,
): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([soon(), over.signal]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const look = () => {
    const instances = store.reports().get(HOST)?.instances;
    if (instances === undefined) return;
    const restarts = instances.reduce((sum, one) => sum + one.restarts, 0);
    if (
      isSo(
        instances.map(({ phase }) => phase),
        restarts,
      )
    )
      resolve();
  };
  store.watch(look, signal);
  look();
  await promise.finally(() => over.abort());
}

describeIf([natsServer, docker], "the agent's program", () => {
  test("a container outlives its agent, is adopted, restarted and discarded", async () => {
    await using directory = await temporaryDirectory("agent");
    await using nats = await startNatsServer();
    const settings = {
      HOST,
      NATS_SERVERS: `[${nats.url}]`,
      STATE_DIR: join(directory.path, "state"),
      POOLS: `[{name: main, path: ${directory.path}}]`,
      DRIVERS: "[container]",
      METRICS__PORT: "0",
    };
    const options = { servers: [nats.url], id: "c1", onError: () => undefined };
    await using store = await connectCoordinator({ ...options, signal: soon() });
    const claim = await store.claimEpoch("c1", 0, soon());
    if (claim.kind !== "written") throw new Error("somebody else leads");
    const epoch = claim.revision;
    await commit(store, ordersFor(epoch, 1, "run"));
    await mkdir(settings.STATE_DIR);
    await writeFile(join(settings.STATE_DIR, AGENT_ID_FILE), AGENT);
    {
      await using agent = new AgentProcess(settings);
      await agent.said("ready");
      await reported(store, ([phase]) => phase === "ready");
      await agent.end("SIGKILL");
    }
    const name = `web-0000.${process.pid}`;
    const [id = ""] = await containersOf(name);
    const before = await inspect(id);
    expect(before?.pid).toBeGreaterThan(0);

    await nats.stop();
    await using agent = new AgentProcess(settings);
    await agent.said("ready");
    expect(await inspect(id)).toEqual(before);
    await run("docker", ["kill", id]);
    await agent.said("step done");
    expect((await inspect(id))?.pid).not.toBe(before?.pid);

    await nats.start();
    await reported(store, ([phase], restarts) => phase === "ready" && restarts === 1);
    await commit(store, ordersFor(epoch, 2, "discard"));
    await reported(store, (phases) => phases.length === 0);
    expect(await containersOf(name)).toEqual([]);
    expect(await agent.end()).toBe(0);
  });
});
