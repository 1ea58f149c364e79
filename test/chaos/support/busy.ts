/** Somebody who changes fleets of their own all the time, whatever breaks meanwhile. */
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "../../../packages/sim/src/seeded-random.ts";
import { ANY, type Client, type FleetPolicy } from "./client.ts";

/** One container more or less costs a third of a second of CPU. */
const PAUSE_MS = { least: 1_000, most: 4_000 } as const;
const LARGEST = 3;

/** One of each at a time. */
const POLICIES: readonly FleetPolicy[] = [
  { name: "busy-keep" },
  { name: "busy-stop", onIsolation: "stop" },
  { name: "busy-wait", onHostLoss: "wait" },
];

export class Busy implements AsyncDisposable {
  readonly #client: Client;
  readonly #ending = new AbortController();
  readonly #ended: Promise<unknown>;
  /** How many of each there were before. A name is used once: each incarnation has one home. */
  readonly #deleted = new Map<FleetPolicy, number>();

  /**
   * Two of them at a time, so that they meet on a fleet now and then: one asks the coordinators in
   * turn, the other whichever serves.
   */
  constructor(client: Client, random: SeededRandom) {
    this.#client = client;
    const workers = [undefined, ANY].map((via, at) => this.#work(random.fork(`${at}`), via));
    this.#ended = Promise.all(workers);
  }

  /** Whether a fleet of theirs has `onIsolation: stop`. */
  static isExclusive(fleet: string): boolean {
    return fleet.startsWith("busy-stop");
  }

  /** Ends it, after the calls that it waits for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async #work(random: SeededRandom, via: string | undefined): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const policy = random.pick(POLICIES);
      if (policy === undefined) return;
      await this.#write(policy, random, via);
      const pauseMs = random.between(PAUSE_MS.least, PAUSE_MS.most);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #write(policy: FleetPolicy, random: SeededRandom, via: string | undefined): Promise<void> {
    const deleted = this.#deleted.get(policy) ?? 0;
    const fleet = { ...policy, name: `${policy.name}-${deleted + 1}` };
    const replicas = random.integer(0, LARGEST);
    const dice = random.next();
    if (dice < 0.5) await this.#client.apply(fleet, replicas, via);
    else if (dice < 0.9) await this.#client.scale(fleet.name, replicas, via);
    else if ((await this.#client.remove(fleet.name, via)).outcome.kind === "ok") {
      this.#deleted.set(policy, deleted + 1);
    }
  }
}
