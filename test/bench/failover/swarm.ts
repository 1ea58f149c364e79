/**
 * Docker Swarm's half, on machines like EVM's: three managers, which run nothing where a worker is
 * looked at, and a worker. It is told not to resolve image names, for there is no registry.
 */
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { run } from "../../support/run.ts";
import { Eye } from "../../support/world/eye.ts";
import type { HostNode } from "../../support/world/parts.ts";
import type { World } from "../../support/world/world.ts";
import { DockerTimes } from "./docker-times.ts";
import {
  DRAINED,
  HOSTS,
  IDLE,
  LIMITS,
  LOOK_INTERVAL_MS,
  PATIENCE_MS,
  type PartOptions,
  type Row,
  timed,
  WHAT,
} from "./model.ts";
import { worldWithoutEvm } from "./without-evm.ts";

const SYSTEM = "Swarm";
const MANAGERS = 3;
const SERVICE = "web";
const SIZE = 12;
/** So long from what runs to what befalls it: by then no start is under way. */
const REST_MS = 3_000;
/** Longer than it takes to end all tasks of a service. */
const FORGOTTEN_AFTER_MS = 60_000;

type Part = (rack: SwarmRack, options: PartOptions) => Promise<readonly Row[]>;

const part =
  (what: string, measure: (rack: SwarmRack, options: PartOptions) => Promise<number>): Part =>
  async (rack, options) => {
    const ms: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) ms.push(await measure(rack, options));
    return [{ what, system: SYSTEM, ms }];
  };

export const SWARM_PARTS: Readonly<Record<string, Part>> = {
  crash: async (rack, options) => [
    ...(await part(WHAT.containerCrash, () => rack.crash("5s"))(rack, options)),
    ...(await part(WHAT.containerCrash, () => rack.crash("0s"))(rack, options)).map((row) => ({
      ...row,
      system: "Swarm, restart delay 0",
    })),
  ],
  takeover: part(WHAT.takeover, (rack) => rack.takeover()),
  "host-loss": part(WHAT.hostLoss, (rack) => rack.hostLoss()),
  drain: part(WHAT.drain, (rack) => rack.drain()),
  "update-10": part(WHAT.updateByTen, (rack, { containers }) => rack.update(containers, 10)),
  "update-1": part(WHAT.updateOneByOne, (rack, { containers }) => rack.update(containers, 1)),
};

export class SwarmRack implements AsyncDisposable {
  readonly #world: World;
  readonly #eye: Eye;
  #version = 0;

  private constructor(world: World) {
    this.#world = world;
    this.#eye = new Eye(world.hosts);
  }

  static async start(): Promise<SwarmRack> {
    const rack = new SwarmRack(await worldWithoutEvm());
    try {
      await rack.#form();
      return rack;
    } catch (error) {
      await rack[Symbol.asyncDispose]();
      throw error;
    }
  }

  async crash(restartDelay: string): Promise<number> {
    await this.#declare(1, "--restart-delay", restartDelay);
    await delay(REST_MS);
    const [before] = this.#eye.alive();
    if (before === undefined) throw new Error("nothing runs");
    const host = this.#world.hosts.find(({ name }) => name === before.host);
    // It is placed where it was: the others are out of service.
    for (const other of this.#world.hosts) {
      if (other !== host) await this.#availability(other.name, "drain");
    }
    await using times = new DockerTimes(socketOf(host));
    await this.#docker(host, "kill", "--signal", "KILL", before.id);
    const { diedMs, startedMs } = await times.next();
    for (const { name } of this.#world.hosts) await this.#availability(name, "active");
    return startedMs - diedMs;
  }

  /** Until another manager has made a task that was asked for after the kill. */
  async takeover(): Promise<number> {
    await this.#declare(SIZE);
    await delay(REST_MS);
    const [leader, other] = await this.#managers();
    const ms = await timed(async () => {
      await leader?.dockerd.kill();
      await this.#until("a manager takes a write", async () => {
        const words = ["service", "scale", "--detach", `${SERVICE}=${SIZE + 1}`];
        return await this.#docker(other, ...words).then(
          () => true,
          () => false,
        );
      });
      await this.#until("the task is placed", async () => {
        const format = ["--format", "{{.Node}}", "--filter", "desired-state=running"];
        const nodes = await this.#docker(other, "service", "ps", SERVICE, ...format);
        return nodes.split("\n").filter((line) => line.trim() !== "").length > SIZE;
      });
    });
    await leader?.dockerd.start();
    await this.#allReady();
    return ms;
  }

  async hostLoss(): Promise<number> {
    await this.#declare(0);
    await this.#declare(SIZE);
    const worker = this.#world.hosts[MANAGERS];
    if (worker === undefined) throw new Error("there is no worker");
    const ms = await timed(async () => {
      await worker.machine.powerOff();
      await this.#until("what was lost runs elsewhere", () => this.#eye.alive().length >= SIZE);
    });
    await worker.machine.powerOn();
    await worker.containerd.start();
    await worker.dockerd.start();
    await this.#allReady();
    return ms;
  }

  async drain(): Promise<number> {
    const [first, ...others] = this.#world.hosts.toReversed();
    if (first === undefined) throw new Error("there is no host");
    await this.#declare(0);
    for (const { name } of others) await this.#availability(name, "drain");
    await this.#declare(DRAINED);
    for (const { name } of others) await this.#availability(name, "active");
    const ms = await timed(async () => {
      await this.#availability(first.name, "drain");
      await this.#until("all of it runs elsewhere", () => {
        const alive = this.#eye.alive();
        return alive.length === DRAINED && alive.every(({ host }) => host !== first.name);
      });
    });
    await this.#availability(first.name, "active");
    return ms;
  }

  async update(containers: number, atOnce: number): Promise<number> {
    await this.#declare(containers);
    this.#version += 1;
    const old = new Set(this.#eye.alive().map(({ id }) => id));
    return await timed(async () => {
      await this.#docker(
        this.#manager(),
        ...["service", "update", "--detach", "--no-resolve-image"],
        ...["--env-add", `VERSION=${this.#version}`, "--update-delay", "0s"],
        ...["--update-parallelism", String(atOnce), SERVICE],
      );
      await this.#until("all are new", () => {
        const alive = this.#eye.alive();
        return alive.length === containers && alive.every((one) => !old.has(one.id));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#eye[Symbol.asyncDispose]();
    await this.#world[Symbol.asyncDispose]();
  }

  async #form(): Promise<void> {
    const [first, ...others] = this.#world.hosts;
    await this.#docker(first, "swarm", "init", ...addressed(first));
    const tokenOf = async (role: string) =>
      (await this.#docker(first, "swarm", "join-token", "--quiet", role)).trim();
    const [manager, worker] = [await tokenOf("manager"), await tokenOf("worker")];
    for (const [at, host] of others.entries()) {
      const token = at + 1 < MANAGERS ? manager : worker;
      const to = `${first?.machine.address}:2377`;
      await this.#docker(host, "swarm", "join", ...addressed(host), "--token", token, to);
    }
    await this.#allReady();
  }

  /** Makes the service, or makes it anew with this many tasks, and waits until all run. */
  async #declare(replicas: number, ...options: readonly string[]): Promise<void> {
    const manager = this.#manager();
    await this.#docker(manager, "service", "rm", SERVICE).catch(() => undefined);
    await this.#cleared();
    await this.#docker(
      manager,
      ...["service", "create", "--detach", "--no-resolve-image", "--name", SERVICE],
      ...["--limit-cpu", String(LIMITS.vcpuMillis / 1_000)],
      ...["--limit-memory", `${LIMITS.memoryMib}m`],
      ...["--replicas", String(replicas), ...options, "evm/busybox:1", "sh", "-c", IDLE],
    );
    await this.#until("all of it runs", () => this.#eye.alive().length === replicas);
  }

  /**
   * Waits until the service is gone. Where a dockerd was killed, Swarm now and then forgets a
   * container for good, and Docker one that it had made and not begun yet, which waits for ever as
   * `runc init`: those are removed by hand.
   */
  async #cleared(): Promise<void> {
    const isGone = () => (this.#eye.alive().length === 0 ? true : undefined);
    const patience = { patienceMs: FORGOTTEN_AFTER_MS, intervalMs: LOOK_INTERVAL_MS };
    await eventually("nothing runs", isGone, patience).catch(async () => {
      for (const { host, id } of this.#eye.alive()) {
        const owner = this.#world.hosts.find(({ name }) => name === host);
        await this.#docker(owner, "rm", "--force", id);
      }
      for (const { pid } of this.#eye.alive()) process.kill(pid, "SIGKILL");
    });
    await this.#until("nothing runs", () => this.#eye.alive().length === 0);
  }

  async #availability(node: string, availability: string): Promise<void> {
    await this.#docker(this.#manager(), "node", "update", "--availability", availability, node);
  }

  #manager(): HostNode | undefined {
    return this.#world.hosts[0];
  }

  /** The leader first. */
  async #managers(): Promise<readonly HostNode[]> {
    const format = ["--format", "{{.Hostname}} {{.ManagerStatus}}"];
    const nodes = await this.#docker(this.#manager(), "node", "ls", ...format);
    const [, leader] = /^(\S+) Leader$/m.exec(nodes) ?? [];
    const managers = this.#world.hosts.slice(0, MANAGERS);
    return managers.toSorted((a, b) => Number(b.name === leader) - Number(a.name === leader));
  }

  async #allReady(): Promise<void> {
    await this.#until("all nodes are ready", async () => {
      const nodes = await this.#docker(this.#manager(), "node", "ls", "--format", "{{.Status}}");
      return nodes.split("\n").filter((line) => line === "Ready").length === HOSTS;
    });
  }

  async #docker(host: HostNode | undefined, ...words: readonly string[]): Promise<string> {
    return await run("docker", "--host", socketOf(host), ...words);
  }

  async #until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
    const look = async () => ((await isSo()) ? true : undefined);
    await eventually(what, look, {
      patienceMs: PATIENCE_MS,
      intervalMs: LOOK_INTERVAL_MS,
      state: () => this.#eye.alive().length,
    });
  }
}

function socketOf(host: HostNode | undefined): string {
  if (host === undefined) throw new Error("there is no such host");
  return `unix://${host.dockerSocket}`;
}

const addressed = (host: HostNode | undefined): readonly string[] => [
  ...["--advertise-addr", host?.machine.address ?? ""],
  ...["--listen-addr", `${host?.machine.address}:2377`],
];
