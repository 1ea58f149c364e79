/**
 * From the death of a container and of a VM to its next start, by its agent alone: no coordinator
 * and no nats-server runs meanwhile. Both moments are taken when Docker and libvirt tell of them.
 * Beside it, for VMs, what libvirt itself takes when it is told to start as soon as it says so.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Connection,
  connect,
  type LifecycleChange,
} from "../../../packages/libvirt/src/index.ts";
import { containers, vms } from "../../e2e/support/fleets.ts";
import { Footprint } from "../../e2e/support/footprint.ts";
import { Parts } from "../../e2e/support/parts.ts";
import type { Program } from "../../e2e/support/program.ts";
import { PATIENCE_MS } from "../../support/eventually.ts";
import { DOCKER_SOCKET_PATH, docker } from "../support/docker-api.ts";
import { DockerTimes } from "./docker-times.ts";
import { type PartOptions, type Row, WHAT } from "./model.ts";

/** Each restart is the first one of its window. */
const RESTART = { window: "1s" };
/** So long between two rounds. */
const REST_MS = 3_000;

/** A container that may use less of a CPU is started the slower for it, by Docker. */
const RESOURCES = { vcpus: 1, memoryMib: 32, diskGib: 0.01 };

const GOAL_MS = 500;

export async function measureCrash(options: PartOptions): Promise<readonly Row[]> {
  await using footprint = await Footprint.make("crash");
  const pool = await footprint.subfolder("pool");
  await using parts = await Parts.start(footprint, { pool });
  const [web, linux] = [footprint.fleet("web"), footprint.fleet("linux")];
  await parts.evm.addGuest("micro");
  await parts.evm.apply(
    { ...containers({ name: web }), restart: RESTART, resources: RESOURCES },
    { ...vms({ name: linux }), restart: RESTART },
  );
  // The agent is alone from here on.
  await parts.coordinator.end("SIGKILL");
  await parts.nats.stop();
  options.tell("a container is killed");
  const container = await crashContainer(parts, `${web}-0000`, footprint, options);
  options.tell("a VM is killed");
  const vm = await crashVm(parts, `${linux}-0000.1`, footprint, options);
  return [
    { what: WHAT.containerCrash, system: "EVM", ms: container.all, goalMs: GOAL_MS },
    { what: "container killed → the agent acts", system: "EVM", ms: container.untilBegun },
    { what: WHAT.containerCrash, system: "Docker alone", ms: container.bare },
    { what: WHAT.vmCrash, system: "EVM", ms: vm.all, goalMs: GOAL_MS },
    { what: "VM killed → the agent acts", system: "EVM", ms: vm.untilBegun },
    { what: WHAT.vmCrash, system: "libvirt alone", ms: vm.bare },
  ];
}

type Crashes = {
  readonly all: readonly number[];
  readonly untilBegun: readonly number[];
  /** Without EVM. */
  readonly bare: readonly number[];
};

/** EVM and Docker alone take turns, so that what else the machine does meets both. */
async function crashContainer(
  { agent }: Parts,
  instance: string,
  footprint: Footprint,
  { rounds }: PartOptions,
): Promise<Crashes> {
  const { id } = await footprint.container(instance);
  await using times = new DockerTimes(
    `unix://${DOCKER_SOCKET_PATH}`,
    "--filter",
    `container=${id}`,
  );
  const crashes = { all: [] as number[], untilBegun: [] as number[], bare: [] as number[] };
  const kill = async (): Promise<void> => {
    await delay(REST_MS);
    process.kill((await footprint.container(instance)).pid, "SIGKILL");
  };
  for (let round = 0; round < rounds; round += 1) {
    await kill();
    const { diedMs, startedMs } = await times.next();
    crashes.all.push(startedMs - diedMs);
    crashes.untilBegun.push(lastBegunMs(agent, instance) - diedMs);
    // The agent sees that it runs again when it goes on.
    agent.kill("SIGSTOP");
    const ended = docker("POST", `/containers/${id}/wait?condition=next-exit`);
    await kill();
    await ended;
    await docker("POST", `/containers/${id}/start`);
    const bare = await times.next();
    crashes.bare.push(bare.startedMs - bare.diedMs);
    agent.kill("SIGCONT");
  }
  return crashes;
}

/** EVM and libvirt alone take turns, so that what else the machine does meets both. */
async function crashVm(
  { agent }: Parts,
  domain: string,
  footprint: Footprint,
  { rounds }: PartOptions,
): Promise<Crashes> {
  await using watched = await Watched.open(domain);
  const crashes = { all: [] as number[], untilBegun: [] as number[], bare: [] as number[] };
  const killed = async (): Promise<number> => {
    await delay(REST_MS);
    process.kill((await footprint.qemus())[domain] ?? 0, "SIGKILL");
    return await watched.next("stopped");
  };
  for (let round = 0; round < rounds; round += 1) {
    const diedMs = await killed();
    crashes.all.push((await watched.next("started")) - diedMs);
    crashes.untilBegun.push(lastBegunMs(agent, domain) - diedMs);
    // The agent sees that it runs again when it goes on.
    agent.kill("SIGSTOP");
    const bareDiedMs = await killed();
    await watched.start();
    crashes.bare.push((await watched.next("started")) - bareDiedMs);
    agent.kill("SIGCONT");
  }
  return crashes;
}

/** When the agent last began a start, by its log. */
function lastBegunMs(agent: Program, instance: string): number {
  const begun = agent.lines.findLast(
    (line) => line.includes('"step begun"') && line.includes(instance),
  );
  return begun === undefined ? Number.NaN : Date.parse(String(JSON.parse(begun).time));
}

async function timeout(what: string): Promise<never> {
  await delay(PATIENCE_MS, undefined, { ref: false });
  throw new Error(`waited ${PATIENCE_MS / 1000} s in vain: ${what}`);
}

/** What libvirt tells of one domain. */
class Watched implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #domain: { readonly name: string; readonly uuid: string };
  readonly #events: { readonly event: LifecycleChange["event"]; readonly atMs: number }[] = [];
  #news = Promise.withResolvers<void>();

  private constructor(connection: Connection, domain: { name: string; uuid: string }) {
    this.#connection = connection;
    this.#domain = domain;
  }

  static async open(name: string): Promise<Watched> {
    const connection = await connect({ uri: "qemu:///system" });
    const domain = await connection.domains.lookupByName(name);
    const watched = new Watched(connection, domain);
    const events = await connection.domains.watch({ domain });
    void (async () => {
      for await (const { event } of events) watched.#tell(event);
    })().catch(() => undefined);
    return watched;
  }

  async start(): Promise<void> {
    await this.#connection.domains.create(this.#domain);
  }

  /** When it told of this, in milliseconds since 1970; what it told before is forgotten. */
  async next(event: LifecycleChange["event"]): Promise<number> {
    for (;;) {
      const at = this.#events.findIndex((one) => one.event === event);
      const found = this.#events.splice(0, at + 1).at(-1);
      if (found !== undefined) return found.atMs;
      await Promise.race([this.#news.promise, timeout(`${this.#domain.name}: not ${event}`)]);
    }
  }

  #tell(event: LifecycleChange["event"]): void {
    this.#events.push({ event, atMs: Date.now() });
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}
