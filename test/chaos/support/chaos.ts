/** A world with fleets, somebody who changes some of them, and eyes on all of it. */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../../../packages/sim/src/seeded-random.ts";
import { eventually } from "../../support/eventually.ts";
import { addGuest } from "../../support/guest.ts";
import { run } from "../../support/run.ts";
import { type Alive, Eye } from "../../support/world/eye.ts";
import type { CoordinatorNode, HostNode } from "../../support/world/parts.ts";
import { createWorld, type World } from "../../support/world/world.ts";
import { Busy } from "./busy.ts";
import { checkHistory } from "./check-history.ts";
import { checkSightings, type Excuse } from "./check-sightings.ts";
import { Client, type FleetPolicy } from "./client.ts";
import { describeOperation } from "./history.ts";
import { Measurements } from "./measurements.ts";
import { missingOfStreams } from "./nats-streams.ts";

/** Where things break, and the fleets there that stay as they are, to be looked at meanwhile. */
export type Scene = {
  readonly hosts: number;
  readonly hasVms: boolean;
  readonly fleets: readonly (FleetPolicy & { readonly size: number })[];
};

/** In every scene. */
const WEB: FleetPolicy = { name: "web" };

/** A little more than there is between two heartbeats. */
const HEARTBEAT_MS = 1_200;

const EVM = fileURLToPath(new URL("../../../dist/evm.mjs", import.meta.url));

/** Of the last run that failed. */
const LOGS = fileURLToPath(new URL("../../results/chaos", import.meta.url));

/** For an agent that can act again: to list, and to stop with grace what a busy Docker starts. */
const CATCH_UP_MS = 10_000;

/** When all faults are over, everything is as declared so soon. */
export const SETTLE_MS = 20_000;

export class Chaos implements AsyncDisposable {
  readonly world: World;
  readonly eye: Eye;
  readonly client: Client;
  readonly measurements = new Measurements();
  readonly #notes: string[] = [];
  readonly #excuses: Excuse[] = [];
  readonly #scene: Scene;
  readonly #busy: Busy;
  readonly #resources: AsyncDisposableStack;

  private constructor(world: World, scene: Scene, seed: number, resources: AsyncDisposableStack) {
    this.world = world;
    this.#scene = scene;
    this.eye = resources.use(new Eye(world.hosts));
    this.client = resources.use(new Client(world.coordinators));
    this.#busy = resources.use(new Busy(this.client, new SeededRandom(seed).fork("busy")));
    this.#resources = resources;
  }

  /** @param seed of what the one who changes fleets does */
  static async start(seed: number, scene: Scene): Promise<Chaos> {
    const resources = new AsyncDisposableStack();
    try {
      const { hosts, hasVms, fleets } = scene;
      const world = resources.use(await createWorld({ hosts, hasVms }));
      const chaos = new Chaos(world, scene, seed, resources);
      await chaos.calm();
      if (hasVms) await chaos.evm(...addGuest());
      for (const { size, ...policy } of fleets) await chaos.client.declare(policy, size);
      await chaos.settled("everything runs after the start");
      await chaos.calm();
      // Docker starts a container through processes that are gone by then.
      await delay(HEARTBEAT_MS);
      return chaos;
    } catch (error) {
      await resources.disposeAsync();
      throw error;
    }
  }

  /** Who leads, as most coordinators have it. */
  async leader(): Promise<CoordinatorNode> {
    return await eventually("somebody leads", async () => {
      const [status] = (await this.client.statuses()).toSorted((a, b) => Number(b.epoch - a.epoch));
      return this.world.coordinators.find(({ id }) => id === status?.leader);
    });
  }

  /** What of a fleet is alive. */
  alive(fleet: string): readonly Alive[] {
    return this.eye.alive().filter((one) => one.fleet === fleet);
  }

  /** What of a fleet runs on a host. */
  on(host: HostNode, fleet: string): readonly string[] {
    const there = this.alive(fleet).filter((one) => one.host === host.name);
    return there.map(({ instance }) => instance);
  }

  /** One of a fleet that runs on a host. */
  oneOn(host: HostNode, fleet: string): Alive {
    const one = this.alive(fleet).find((other) => other.host === host.name);
    if (one === undefined) throw new Error(`nothing of ${fleet} runs on ${host.name}`);
    return one;
  }

  /** What of a fleet runs on other hosts. */
  besides(host: HostNode, fleet: string): readonly string[] {
    const elsewhere = this.alive(fleet).filter((one) => one.host !== host.name);
    return elsewhere.map(({ instance }) => instance);
  }

  /** Waits for what EVM promises within a time, and notes how long it took. */
  measure<T>(
    what: string,
    boundMs: number,
    sinceMs: number,
    look: () => Promise<T | undefined> | T | undefined,
  ): Promise<T> {
    return this.measurements.measure({ what, boundMs, sinceMs }, look, () => this.eye.alive());
  }

  /** Waits until what was killed just now runs again. */
  async runsAgain(what: string, boundMs: number, killed: Alive): Promise<void> {
    const isBack = (one: Alive) => one.instance === killed.instance && one.pid !== killed.pid;
    await this.measure(what, boundMs, performance.now(), () =>
      this.alive(killed.fleet).some(isBack) ? true : undefined,
    );
  }

  /** What runs of these fleets and where; changes with every start and every move. */
  lives(...fleets: readonly string[]): readonly string[] {
    return this.eye
      .alive()
      .filter(({ fleet }) => fleets.includes(fleet))
      .map((one) => `${one.instance}.${one.incarnation} on ${one.host}, process ${one.pid}`)
      .sort();
  }

  /** The host that runs most of a fleet. */
  hostOf(fleet: string): HostNode {
    const homes = Map.groupBy(this.alive(fleet), ({ host }) => host);
    const [busiest] = [...homes].toSorted(([, a], [, b]) => b.length - a.length);
    const host = this.world.hosts.find(({ name }) => name === busiest?.[0]);
    if (host === undefined) throw new Error(`nothing of ${fleet} runs`);
    return host;
  }

  /** The agent of this host could not act from then until now. */
  excuse(host: HostNode, fromMs: number): void {
    const toMs = performance.now() + CATCH_UP_MS;
    this.#excuses.push({ host: host.name, fromMs, toMs });
  }

  /** Waits until the fleets that stay as they are do so: each instance runs once, and no other. */
  async settled(what: string, sinceMs = performance.now(), boundMs = SETTLE_MS): Promise<void> {
    await this.measure(what, boundMs, sinceMs, () => this.#isSettled());
  }

  #isSettled(): true | undefined {
    const { fleets } = this.#scene;
    const expected = fleets.flatMap(({ name, size }) => namesOf(name, size));
    const running = this.eye
      .alive()
      .filter(({ fleet }) => fleets.some(({ name }) => name === fleet));
    const names = running.map(({ instance }) => instance);
    return names.sort().join() === expected.sort().join() ? true : undefined;
  }

  /** Ends all faults, and waits until nothing is left of them. */
  async heal(what: string): Promise<void> {
    const sinceMs = performance.now();
    await this.world.heal();
    await this.settled(what, sinceMs);
    await this.calm();
    for (const { id } of this.world.coordinators) await this.#hears(id);
    // What a lease ran out for meanwhile has stopped by the next heartbeat, and comes back.
    await delay(HEARTBEAT_MS);
    await eventually(`${what}, and goes on`, () => this.#isSettled(), {
      state: () => this.eye.alive(),
    });
  }

  /**
   * Waits until a write by this coordinator is answered. One that was cut off may be deaf for a
   * while, until what it missed is sent anew: it would take a leader for dead that it cannot hear.
   */
  async #hears(coordinator: string): Promise<void> {
    await eventually(`${coordinator} hears the store`, async () => {
      return (await this.isAcknowledged(coordinator)) ? true : undefined;
    });
  }

  /** Whether a write that changes nothing is acknowledged, by this coordinator or the next. */
  async isAcknowledged(coordinator?: string): Promise<boolean> {
    const size = this.sizeOf(WEB.name);
    return (await this.client.apply(WEB, size, coordinator)).outcome.kind === "ok";
  }

  sizeOf(fleet: string): number {
    return this.#scene.fleets.find(({ name }) => name === fleet)?.size ?? 0;
  }

  /** Runs the operator's command, and returns what it prints. */
  evm(...words: readonly string[]): Promise<string> {
    const servers = this.world.coordinators.map(({ api }) => api).join();
    return run(process.execPath, EVM, "--server", servers, ...words);
  }

  /** Waits until all parts know each other as well as at any time. */
  async calm(): Promise<void> {
    const { client, world } = this;
    const look = async () => {
      const statuses = await client.statuses();
      const isSound = statuses.every(
        (one) =>
          one.leader === statuses[0]?.leader &&
          (one.leader !== one.coordinator || one.hostsUp === world.hosts.length),
      );
      if (!isSound || statuses.length < world.coordinators.length) return undefined;
      return (await missingOfStreams(world.nats)).length === 0 ? true : undefined;
    };
    await eventually("all is calm", look, {
      state: async () => [...(await missingOfStreams(world.nats)), ...(await client.statuses())],
    });
  }

  /** Ends all faults and all changes, waits until everything is as declared, and checks it all. */
  async verdict(): Promise<readonly string[]> {
    await this.world.heal();
    await this.#busy[Symbol.asyncDispose]();
    const { client, eye } = this;
    const sinceMs = performance.now();
    const declared = await this.measurements.measure(
      { what: "everything is as declared, all faults being over", boundMs: SETTLE_MS, sinceMs },
      async () => {
        const fleets = await client.fleets();
        const wanted = [...fleets].flatMap(([name, { replicas, isDeleting }]) =>
          isDeleting ? ["a fleet that is being deleted"] : namesOf(name, replicas),
        );
        const running = eye.alive().map(({ instance }) => instance);
        return running.sort().join() === wanted.sort().join() ? fleets : undefined;
      },
      async () => ({ fleets: [...(await client.fleets()).keys()], running: eye.alive() }),
    );
    const names = new Set(client.history.map(({ fleet }) => fleet));
    const final = new Map([...names].map((name) => [name, declared.get(name)]));
    const exclusive = new Set(
      this.#scene.fleets.flatMap(({ name, onIsolation }) => (onIsolation === "stop" ? name : [])),
    );
    return [
      ...checkHistory(client.history, final),
      ...checkSightings(eye.sightings, {
        isExclusive: (fleet) => exclusive.has(fleet) || Busy.isExclusive(fleet),
        largest: this.#largest(),
        excuses: this.#excuses,
      }),
    ];
  }

  /** What happens now, for whoever reads the history. */
  note(text: string): void {
    this.#notes.push(`${(performance.now() / 1000).toFixed(2).padStart(8)} -- ${text}`);
  }

  /** Saves what all programs wrote, for whoever looks for a cause; returns where. */
  async keepLogs(): Promise<string> {
    await rm(LOGS, { recursive: true, force: true });
    await mkdir(LOGS, { recursive: true });
    for (const { logFile } of this.world.services) {
      await cp(logFile, join(LOGS, basename(logFile)));
    }
    await writeFile(join(LOGS, "history.log"), `${this.describe()}\n`);
    return LOGS;
  }

  describe(): string {
    const operations = this.client.history.map(describeOperation);
    const lines = [...operations, ...this.#notes].sort((a, b) => parseFloat(a) - parseFloat(b));
    return [...lines, this.measurements.describe()].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  #largest(): ReadonlyMap<string, number> {
    const largest = new Map<string, number>();
    for (const { fleet, write } of this.client.history) {
      const size = write.kind === "delete" ? 0 : write.replicas;
      largest.set(fleet, Math.max(size, largest.get(fleet) ?? 0));
    }
    return largest;
  }
}

const namesOf = (fleet: string, size: number): readonly string[] =>
  Array.from({ length: size }, (_, index) => `${fleet}-${String(index).padStart(4, "0")}`);
