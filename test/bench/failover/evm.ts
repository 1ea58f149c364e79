/** EVM's half of what needs several hosts. */
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { Eye } from "../../support/world/eye.ts";
import type { HostNode } from "../../support/world/parts.ts";
import { createWorld, type World } from "../../support/world/world.ts";
import { EvmClient } from "./evm-client.ts";
import {
  DRAINED,
  HOSTS,
  LOOK_INTERVAL_MS,
  PATIENCE_MS,
  type PartOptions,
  type Row,
  timed,
  WHAT,
} from "./model.ts";

const SYSTEM = "EVM";
const FLEET = "web";
/** On each host a few. */
const SIZE = 12;
/** A leader that has just taken over calls no host lost for as long as this. */
const STEADY_MS = 15_000;

type Part = (rack: EvmRack, options: PartOptions) => Promise<Row>;

export const EVM_PARTS: Readonly<Record<string, Part>> = {
  takeover: async (rack, { rounds }) => ({
    what: WHAT.takeover,
    system: SYSTEM,
    ms: await repeat(rounds, () => rack.takeover()),
    goalMs: 3_000,
  }),
  "host-loss": async (rack, { rounds }) => ({
    what: WHAT.hostLoss,
    system: SYSTEM,
    ms: await repeat(rounds, () => rack.hostLoss()),
    goalMs: 10_000,
  }),
  drain: async (rack, { rounds }) => ({
    what: WHAT.drain,
    system: SYSTEM,
    ms: await repeat(rounds, () => rack.drain()),
  }),
  "update-10": async (rack, { rounds, containers }) => ({
    what: WHAT.updateByTen,
    system: SYSTEM,
    ms: await repeat(rounds, () => rack.update(containers, 10)),
    goalMs: 300 * containers,
  }),
  "update-1": async (rack, { rounds, containers }) => ({
    what: WHAT.updateOneByOne,
    system: SYSTEM,
    ms: await repeat(rounds, () => rack.update(containers, 1)),
    goalMs: 1_000 * containers,
  }),
};

export class EvmRack implements AsyncDisposable {
  readonly world: World;
  readonly #eye: Eye;
  readonly #client: EvmClient;
  #version = 0;
  #takeovers = 0;

  private constructor(world: World) {
    this.world = world;
    this.#eye = new Eye(world.hosts);
    this.#client = new EvmClient(world.coordinators.map(({ api }) => api));
  }

  static async start(): Promise<EvmRack> {
    const overcommit = { vcpu: 1_000, memory: 1_000, disk: 1_000 };
    // The question is how fast it acts; what it asks about before is another.
    const blastRadius = { maxShare: 1, minInstances: 100_000, waveShare: 1 };
    const coordinatorSettings = { overcommit, blastRadius };
    const world = await createWorld({ hosts: HOSTS, coordinatorSettings });
    const rack = new EvmRack(world);
    await rack.#allUp();
    return rack;
  }

  /** Until another leader has placed what was asked for after the kill. */
  async takeover(): Promise<number> {
    const leader = await this.#client.leader();
    const node = this.world.coordinators.find(({ id }) => id === leader);
    if (node === undefined) throw new Error(`nobody leads: "${leader}"`);
    // One that never was: of an earlier one something may be left that looks like it.
    const name = `takeover-${++this.#takeovers}`;
    const ms = await timed(async () => {
      await node.coordinator.kill();
      await this.#client.apply({ name, replicas: 1, atOnce: 1 });
      await this.#client.placed(`${name}-0000`);
    });
    await this.#client.apply({ name, replicas: 0, atOnce: 1 });
    await node.coordinator.start();
    return ms;
  }

  async hostLoss(): Promise<number> {
    await this.#declare(SIZE, 1);
    await delay(STEADY_MS);
    const host = this.#busiest();
    const lost = this.#alive().filter((one) => one.host === host.name);
    const ms = await timed(async () => {
      await host.machine.powerOff();
      await this.#until("what was lost runs elsewhere", () => {
        const running = new Set(this.#alive().map(({ instance }) => instance));
        return lost.every(({ instance }) => running.has(instance));
      });
    });
    await this.world.heal();
    await this.#allUp();
    return ms;
  }

  async drain(): Promise<number> {
    const [first, ...others] = this.world.hosts;
    if (first === undefined) throw new Error("there is no host");
    await this.#declare(0, DRAINED);
    for (const { name } of others) await this.#client.drain(name);
    await this.#declare(DRAINED, DRAINED);
    for (const { name } of others) await this.#client.undrain(name);
    const ms = await timed(async () => {
      await this.#client.drain(first.name);
      await this.#until("all of it runs elsewhere", () => {
        const alive = this.#alive();
        return alive.length === DRAINED && alive.every(({ host }) => host !== first.name);
      });
    });
    await this.#client.undrain(first.name);
    return ms;
  }

  async update(containers: number, atOnce: number): Promise<number> {
    await this.#declare(containers, atOnce);
    const old = new Set(this.#alive().map(({ id }) => id));
    this.#version += 1;
    const fleet = { name: FLEET, replicas: containers, atOnce, version: this.#version };
    return await timed(async () => {
      await this.#client.apply(fleet);
      await this.#until("all are new", () => {
        const alive = this.#alive();
        return alive.length === containers && alive.every((one) => !old.has(one.id));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.#eye[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }

  async #declare(replicas: number, atOnce: number): Promise<void> {
    await this.#client.apply({ name: FLEET, replicas, atOnce, version: this.#version });
    await this.#client.ready(FLEET);
    await this.#until("nothing else runs", () => this.#alive().length === replicas);
  }

  #alive() {
    return this.#eye.alive().filter(({ fleet }) => fleet === FLEET);
  }

  #busiest(): HostNode {
    const homes = Map.groupBy(this.#alive(), ({ host }) => host);
    const [busiest] = [...homes].toSorted(([, a], [, b]) => b.length - a.length);
    const host = this.world.hosts.find(({ name }) => name === busiest?.[0]);
    if (host === undefined) throw new Error("nothing runs");
    return host;
  }

  async #allUp(): Promise<void> {
    await this.#until("all hosts are up", async () => (await this.#client.hostsUp()) === HOSTS);
  }

  async #until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
    await eventually(what, async () => ((await isSo()) ? true : undefined), {
      state: () => this.#alive(),
      patienceMs: PATIENCE_MS,
      intervalMs: LOOK_INTERVAL_MS,
    });
  }
}

async function repeat(rounds: number, measure: () => Promise<number>): Promise<readonly number[]> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round += 1) all.push(await measure());
  return all;
}
