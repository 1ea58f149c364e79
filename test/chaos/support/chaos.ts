/** A world with fleets, somebody who changes some of them, and eyes on all of it. */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../../../packages/sim/src/seeded-random.ts";
import { eventually } from "../../support/eventually.ts";
import { type Alive, Eye } from "../../support/world/eye.ts";
import type { CoordinatorNode, HostNode } from "../../support/world/parts.ts";
import { createWorld, type World } from "../../support/world/world.ts";
import { Busy } from "./busy.ts";
import { checkHistory } from "./check-history.ts";
import { checkSightings, type Excuse } from "./check-sightings.ts";
import { Client, type FleetPolicy } from "./client.ts";
import { describeOperation } from "./history.ts";
import { Measurements } from "./measurements.ts";
import { areStreamsCurrent } from "./nats-streams.ts";

/** Fleets that stay as they are, to be looked at while things break. */
export const FLEETS = {
  web: { name: "web" },
  exam: { name: "exam", onIsolation: "stop" },
  data: { name: "data", onHostLoss: "wait" },
} as const satisfies Record<string, FleetPolicy>;

export const SIZES: Readonly<Record<string, number>> = { web: 4, exam: 4, data: 4 };

/** A little more than there is between two heartbeats. */
const HEARTBEAT_MS = 1_200;

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
  readonly #busy: Busy;
  readonly #resources: AsyncDisposableStack;

  private constructor(world: World, seed: number, resources: AsyncDisposableStack) {
    this.world = world;
    this.eye = resources.use(new Eye(world.hosts));
    this.client = resources.use(new Client(world.coordinators));
    this.#busy = resources.use(new Busy(this.client, new SeededRandom(seed).fork("busy")));
    this.#resources = resources;
  }

  /** @param seed of what the one who changes fleets does */
  static async start(seed: number): Promise<Chaos> {
    const resources = new AsyncDisposableStack();
    try {
      const world = resources.use(await createWorld({ hosts: 4 }));
      const chaos = new Chaos(world, seed, resources);
      await chaos.calm();
      for (const policy of Object.values(FLEETS)) {
        await chaos.client.declare(policy, SIZES[policy.name] ?? 0);
      }
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
    const state = () => this.eye.alive();
    await this.measurements.measure({ what, boundMs, sinceMs }, () => this.#isSettled(), state);
  }

  #isSettled(): true | undefined {
    const expected = Object.entries(SIZES).flatMap(([fleet, size]) => namesOf(fleet, size));
    const running = this.eye.alive().filter(({ fleet }) => fleet in SIZES);
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
      const { outcome } = await this.client.apply(FLEETS.web, SIZES["web"] ?? 0, coordinator);
      return outcome.kind === "ok" ? true : undefined;
    });
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
      return (await areStreamsCurrent(world.nats)) ? true : undefined;
    };
    await eventually("all is calm", look, { state: () => client.statuses() });
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
    return [
      ...checkHistory(client.history, final),
      ...checkSightings(eye.sightings, {
        isExclusive: (fleet) => fleet === FLEETS.exam.name || Busy.isExclusive(fleet),
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
