/**
 * Sees what really runs on every host, at every moment, and asks nobody: the kernel's control
 * groups tell which containers are alive, their settings on the disk which instances they are; its
 * processes tell the same of VMs. So it sees also where agent, dockerd and libvirtd are dead or
 * frozen.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { HostNode } from "./parts.ts";

/** A container or a VM. */
export type Seen = {
  /** Of one container or VM, and of no other on any host. */
  readonly id: string;
  /**
   * Of its first process, another one with every start; of a VM's QEMU by the number that it has on
   * its host. Undefined: it is not alive.
   */
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
    const containers = ids.flatMap((id) => this.#identify(host, id, pids));
    return { host: host.name, atMs, seen: [...containers, ...this.#vmsOn(host)] };
  }

  /** The same object as before while nothing has changed; none while it is being made. */
  #identify(
    { containers }: HostNode,
    id: string,
    pids: ReadonlyMap<string, number>,
  ): readonly Seen[] {
    const pid = pids.get(id);
    const known = this.#known.get(id);
    if (known !== undefined && known.pid === pid) return [known];
    const identity = known ?? identityIn(join(containers, id, "config.v2.json"));
    const seen = { ...identity, id, pid };
    if (seen.instance !== "") this.#known.set(id, seen);
    return seen.instance === "" && pid === undefined ? [] : [seen];
  }

  #vmsOn({ name: host, libvirtd, machine, domains }: HostNode): readonly Seen[] {
    if (libvirtd === undefined) return [];
    const pids = guestsIn(machine.processes);
    const names = new Set([...definedIn(domains), ...pids.keys()]);
    return [...names].map((name) => ({
      ...vmOf(name),
      id: `${name} on ${host}`,
      pid: pids.get(name),
    }));
  }
}

const entriesOf = (folder: string, what: "folders" | "files" = "folders"): readonly string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() === (what === "folders"))
      .map(({ name }) => name);
  } catch {
    // Nothing has run there yet.
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

const commandLineOf = (process: string): string => {
  try {
    return readFileSync(join(process, "cmdline"), "utf8");
  } catch {
    // It has ended since its folder was read.
    return "";
  }
};

/** VMs by the process that each is. Whoever is being started has no name yet. */
function guestsIn(processes: string | undefined): ReadonlyMap<string, number> {
  if (processes === undefined) return new Map();
  return new Map(
    entriesOf(processes).flatMap((pid) => {
      const [, name] = /\0guest=([^,\0]+)/.exec(commandLineOf(join(processes, pid))) ?? [];
      return name === undefined ? [] : [[name, Number(pid)] as const];
    }),
  );
}

const definedIn = (domains: string): readonly string[] =>
  entriesOf(domains, "files").flatMap((file) => /^(.+)\.xml$/.exec(file)?.[1] ?? []);

/** `exam-0000.2` is the second incarnation of the first instance of `exam`. */
function vmOf(domain: string): Omit<Seen, "id" | "pid"> {
  const [, instance = "", fleet = "", incarnation = 0] = /^((.+)-\d+)\.(\d+)$/.exec(domain) ?? [];
  return { instance, fleet, incarnation: Number(incarnation) };
}

function identityIn(file: string): Omit<Seen, "id" | "pid"> {
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
