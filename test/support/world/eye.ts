/**
 * Sees what really runs on every host, at every moment, and asks nobody: the kernel's control
 * groups tell which containers are alive, their settings on the disk which instances they are. So
 * it sees also where agent and dockerd are dead or frozen.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { HostNode } from "./parts.ts";

/** A container. */
export type Seen = {
  /** Docker's id. */
  readonly container: string;
  /** Of its first process, another one with every start; undefined: it is not alive. */
  readonly pid: number | undefined;
  /** Empty where it bears no mark of EVM's. */
  readonly instance: string;
  readonly fleet: string;
  readonly incarnation: number;
};

/** All that there is on one host at one moment. */
export type Sighting = {
  readonly host: string;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly seen: readonly Seen[];
};

/** With a process of its own; what is not alive only exists. */
export type Alive = Seen & { readonly pid: number; readonly host: string };

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
  alive(): readonly Alive[] {
    return this.look().flatMap(({ host, seen }) =>
      seen.flatMap(({ pid, ...one }) => (pid === undefined ? [] : [{ ...one, pid, host }])),
    );
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
    const folders = entriesOf(host.containers);
    // Whoever loses power leaves control groups behind, with nothing in them.
    const pids = new Map(
      entriesOf(host.controlGroup).flatMap((id) => {
        const pid = firstProcess(join(host.controlGroup, id));
        return pid === undefined ? [] : [[id, pid] as const];
      }),
    );
    const ids = [...new Set([...folders, ...pids.keys()])];
    return { host: host.name, atMs, seen: ids.flatMap((id) => this.#identify(host, id, pids)) };
  }

  /** The same object as before while nothing has changed; none while it is being made. */
  #identify(
    { containers }: HostNode,
    container: string,
    pids: ReadonlyMap<string, number>,
  ): readonly Seen[] {
    const pid = pids.get(container);
    const known = this.#known.get(container);
    if (known !== undefined && known.pid === pid) return [known];
    const identity = known ?? identityIn(join(containers, container, "config.v2.json"));
    const seen = { ...identity, container, pid };
    if (seen.instance !== "") this.#known.set(container, seen);
    return seen.instance === "" && pid === undefined ? [] : [seen];
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

/** Undefined where there is none. */
const firstProcess = (group: string): number | undefined => {
  try {
    const [first = ""] = readFileSync(join(group, "cgroup.procs"), "utf8").split("\n");
    return first === "" ? undefined : Number(first);
  } catch {
    // It has gone since its folder was read.
    return undefined;
  }
};

function identityIn(file: string): Omit<Seen, "container" | "pid"> {
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
