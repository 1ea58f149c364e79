/**
 * Sees what really runs on every host, at every moment, and asks nobody: the kernel's control
 * groups tell which containers are alive, their settings on the disk which instances they are. So
 * it sees also where agent and dockerd are dead or frozen.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { HostNode } from "./parts.ts";

/** A container that is alive. */
export type Seen = {
  /** Docker's id. */
  readonly container: string;
  /** Empty where it bears no mark of EVM's. */
  readonly instance: string;
  readonly fleet: string;
  readonly incarnation: number;
};

/** All that is alive on one host at one moment. */
export type Sighting = {
  readonly host: string;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly alive: readonly Seen[];
};

const INTERVAL_MS = 200;

/** Looks several times a second until it is disposed of. */
export class Eye implements AsyncDisposable {
  /** Of all hosts, in the order of time. */
  readonly sightings: Sighting[] = [];
  readonly #hosts: readonly HostNode[];
  readonly #known = new Map<string, Seen>();
  readonly #ending = new AbortController();
  readonly #ended: Promise<void>;

  constructor(hosts: readonly HostNode[]) {
    this.#hosts = hosts;
    this.#ended = this.#run();
  }

  /** Looks now, at every host. */
  look(): readonly Sighting[] {
    const sightings = this.#hosts.map((host) => this.#lookAt(host));
    this.sightings.push(...sightings);
    return sightings;
  }

  /** What is alive now, on whichever host. */
  alive(): readonly (Seen & { readonly host: string })[] {
    return this.look().flatMap(({ host, alive }) => alive.map((seen) => ({ ...seen, host })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      this.look();
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #lookAt(host: HostNode): Sighting {
    const atMs = performance.now();
    const alive = entriesOf(host.controlGroup)
      .filter((id) => hasProcesses(join(host.controlGroup, id)))
      .map((id) => this.#identify(host, id));
    return { host: host.name, atMs, alive };
  }

  #identify({ containers }: HostNode, container: string): Seen {
    const known = this.#known.get(container);
    if (known !== undefined) return known;
    const seen = { container, ...identityIn(join(containers, container, "config.v2.json")) };
    if (seen.instance !== "") this.#known.set(container, seen);
    return seen;
  }
}

const entriesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    // No container has run there yet.
    return [];
  }
};

const hasProcesses = (group: string): boolean => {
  try {
    return readFileSync(join(group, "cgroup.procs"), "utf8") !== "";
  } catch {
    // It has gone since its folder was read.
    return false;
  }
};

function identityIn(file: string): Omit<Seen, "container"> {
  try {
    const { Config } = JSON.parse(readFileSync(file, "utf8"));
    const labels: Record<string, string> = Config.Labels ?? {};
    return {
      instance: labels["evm.instance"] ?? "",
      fleet: labels["evm.fleet"] ?? "",
      incarnation: Number(labels["evm.incarnation"] ?? 0),
    };
  } catch {
    // Being written, or removed, at this moment: the next look tells.
    return { instance: "", fleet: "", incarnation: 0 };
  }
}
