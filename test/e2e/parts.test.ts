/** What goes on while parts of EVM are dead, and what they find when they come back. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import type { Instance } from "./support/evm.ts";
import { built, containers, dockerfile, vms } from "./support/fleets.ts";
import { docker as dockerTool, Footprint, virsh } from "./support/footprint.ts";
import { Parts } from "./support/parts.ts";

describeIf([root, libvirt, docker, natsServer, guest], "parts that run apart", () => {
  const resources = new AsyncDisposableStack();
  let footprint: Footprint;
  let parts: Parts;
  /** The names of the fleets. */
  let [linux, web, own] = ["", "", ""];

  beforeAll(async () => {
    footprint = resources.use(await Footprint.make("parts"));
    [linux, web, own] = [footprint.fleet("linux"), footprint.fleet("web"), footprint.fleet("own")];
    const pool = await footprint.subfolder("pool");
    parts = resources.use(await Parts.start(footprint, { pool }));
  });
  afterAll(() => resources.disposeAsync());

  /** What runs, as it must stay: each with what changes when it is started again. */
  const running = async () => ({
    qemus: await footprint.qemus(),
    containers: await footprint.containers(),
  });

  /** Waits until all of `evm ps` is ready. */
  const allReady = (count: number): Promise<readonly Instance[]> =>
    eventually(
      `evm ps shows ${count} instances, all ready`,
      async () => {
        const instances = await parts.evm.instances();
        const ready = instances.filter(({ phase }) => phase === "PHASE_READY");
        return ready.length === count && instances.length === count ? instances : undefined;
      },
      { state: () => parts.evm.instances() },
    );

  const agentHasReady = (count: number): Promise<true> =>
    eventually(`the agent has ${count} ready`, async () =>
      (await parts.countedByAgent("ready")) === count ? true : undefined,
    );

  test("VMs and containers become ready, one of them built from a Dockerfile", async () => {
    const folder = await footprint.subfolder("context");
    await writeFile(join(folder, "Dockerfile"), dockerfile(footprint.name));
    await parts.evm.addGuest("micro");
    const fleets = [
      vms({ name: linux, replicas: 2 }),
      containers({ name: web }),
      built({ name: own }, folder),
    ];
    await parts.evm.apply(...fleets);

    const { qemus, containers: all } = await running();
    expect(Object.keys(qemus)).toEqual([`${linux}-0000.1`, `${linux}-0001.1`]);
    expect(all.map(({ instance }) => instance)).toEqual([`${own}-0000`, `${web}-0000`]);
    expect(all.every(({ isRunning }) => isRunning)).toBe(true);
    expect(all[0]?.image).toMatch(/^evm-build:/);
    expect(await dockerTool("logs", all[0]?.id ?? "")).toContain(`started with ${footprint.name}`);
    footprint.ownImage(all[0]?.image ?? "");
  });

  test("a host whose agent was killed goes on, and the next agent adopts what runs", async () => {
    const before = await running();
    expect(await parts.agent.end("SIGKILL")).toBe(128);
    await eventually("the host is lost", async () =>
      (await parts.evm.hosts()).find(({ liveness }) => liveness === "LIVENESS_LOST"),
    );
    expect(await running()).toEqual(before);

    await parts.startAgent();
    await agentHasReady(4);
    const instances = await allReady(4);
    expect(instances.map(({ restarts, incarnation }) => [restarts, incarnation])).toEqual(
      instances.map(() => [0, 1]),
    );
    expect(await running()).toEqual(before);
  });

  test("a cluster whose coordinator was killed goes on, and the next one takes over", async () => {
    const before = await running();
    await parts.coordinator.end("SIGKILL");
    expect(await running()).toEqual(before);

    await parts.startCoordinator();
    await allReady(4);
    expect(await running()).toEqual(before);

    await parts.evm.scale(web, 2);
    const after = await running();
    expect(after.qemus).toEqual(before.qemus);
    expect(after.containers.filter(({ instance }) => instance !== `${web}-0001`)).toEqual(
      before.containers,
    );
    expect(after.containers).toHaveLength(3);
  });

  test("an agent that is alone on its machine heals what is killed behind its back", async () => {
    await parts.agent.end("SIGKILL");
    await parts.coordinator.end("SIGKILL");
    await parts.nats.stop();
    const before = await running();
    await parts.startAgent();
    await agentHasReady(5);
    expect(await running()).toEqual(before);

    const [vm, killed] = [`${linux}-0000.1`, await footprint.container(`${web}-0000`)];
    await virsh("destroy", vm);
    await dockerTool("kill", killed.id);
    await eventually("both run again", async () => {
      const { qemus, containers: all } = await running();
      const again = all.find(({ id }) => id === killed.id);
      const isUp = again?.isRunning && again.startedAt !== killed.startedAt;
      return isUp && (qemus[vm] ?? before.qemus[vm]) !== before.qemus[vm] ? true : undefined;
    });
    await agentHasReady(5);

    const after = await running();
    expect(after.qemus).toEqual({ ...before.qemus, [vm]: after.qemus[vm] });
    const others = ({ instance }: { instance: string }) => instance !== killed.instance;
    expect(after.containers.filter(others)).toEqual(before.containers.filter(others));
  });

  test("NATS and a coordinator that come back find all of it, and can delete it", async () => {
    const before = await running();
    await parts.nats.start();
    await parts.startCoordinator();
    // What the coordinator finds in the store is older than the outage: the agent tells the rest.
    const healed = [`${linux}-0000`, `${web}-0000`];
    await eventually("evm ps tells of the restarts", async () => {
      const instances = await parts.evm.instances();
      const restarted = instances.filter(({ restarts }) => restarts === 1).map(({ name }) => name);
      return isDeepStrictEqual(restarted.toSorted(), healed) ? true : undefined;
    });
    await allReady(5);
    expect(await running()).toEqual(before);

    await parts.evm.delete(linux, web, own);
    expect(await footprint.domains()).toEqual([]);
    expect(await footprint.containers()).toEqual([]);
  });

  test("each part ends well when it is asked to", async () => {
    expect(await parts.agent.end()).toBe(0);
    expect(await parts.coordinator.end()).toBe(0);
  });
});
