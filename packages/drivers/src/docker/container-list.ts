/**
 * Lists EVM's containers in one call, and looks closer only at those that changed.
 *
 * Docker's list tells neither start time nor exit reason, and an inspection of each of 1,000
 * containers at every list would keep the daemon busy. So the answers are kept, each under what the
 * list shows of its container at that time:
 *  L1 An answer is used only while the list shows the same.
 *  L2 That a container could not be inspected is no answer: it is listed while it is being made,
 *     and can be inspected only after.
 *  L3 What the list shows differs after every start: a network endpoint's id is new each time, and
 *     the status text of one that ended tells for how long. That of one without a network changes
 *     with every second; while the daemon tells of starts, their number stands in for it.
 *  L4 The daemon goes on with a start whose caller has left, and its list shows nothing of that. It
 *     lets nobody inspect the container until it is through, so an inspection tells (D5). Where
 *     none is answered for long, the container is listed as running: others must not wait for it.
 *  L5 An end that the daemon cannot write down, its disk being full, it tells of, and shows to who
 *     inspects; its list shows the container as running for ever (Docker 20.10). So the number of
 *     ends that were told of counts as shown, too. As for those that nobody heard of, all are
 *     inspected anew once the daemon tells again.
 */
import type { ContainerInfo } from "dockerode";
import { DriverError, type DriverInstance } from "../driver.ts";
import { identityOf, ownerFilter } from "./container-labels.ts";
import { instanceOf } from "./container-view.ts";
import type { DockerEngine } from "./docker-engine.ts";

type Answer = { readonly shown: string; readonly instance: DriverInstance };

/** Inspections in flight: each costs the daemon 0.6 ms (measured), and it has other callers. */
const MAX_INSPECTIONS = 8;
/** Most starts and ends are through by then, on a slow disk too. */
const INSPECTION_PATIENCE_MS = 2_000;

export class ContainerList {
  readonly #engine: DockerEngine;
  readonly #owner: string;
  /** By container id; holds no more than the last list did. */
  #answers: ReadonlyMap<string, Answer> = new Map();
  /** How many starts and ends were told of, by id of a container that is listed. */
  readonly #changes = new Map<string, number>();
  #connections = 0;
  #isConnected = false;

  constructor(engine: DockerEngine, owner: string) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** The daemon tells of every start and end from now on. */
  connected(): void {
    this.#connections += 1;
    this.#isConnected = true;
  }

  disconnected(): void {
    this.#isConnected = false;
  }

  /** The daemon told of a start or an end, or may go on with a start that was broken off. */
  changed(id: string): void {
    this.#changes.set(id, this.#changesOf(id) + 1);
  }

  async read(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    const filters = { label: [ownerFilter(this.#owner)] };
    const containers = await this.#engine.call(
      "listing containers",
      signal,
      (docker, abortSignal) => docker.listContainers({ all: true, filters, abortSignal }),
    );
    const known = this.#answers;
    const answers = new Map<string, Answer>();
    const pending = containers.values();
    const inspectAll = async () => {
      for (const container of pending) {
        const shown = this.#shownOf(container);
        const last = known.get(container.Id);
        const answer = last?.shown === shown ? last : await this.#look(container, shown, signal);
        if (answer !== undefined) answers.set(container.Id, answer);
      }
    };
    await Promise.all(Array.from({ length: MAX_INSPECTIONS }, inspectAll));
    this.#answers = answers;
    for (const id of this.#changes.keys()) if (!answers.has(id)) this.#changes.delete(id);
    return [...answers.values()].map(({ instance }) => instance).sort(byRef);
  }

  /** Not by the status text of one that runs, which counts seconds, where others tell as much. */
  #shownOf({ Id, State, Status, NetworkSettings }: ContainerInfo): string {
    if (State !== "running") return `${Status} ${this.#changesOf(Id)}`;
    const told = `${this.#connections} ${this.#changesOf(Id)}`;
    const health = /\((?:health: )?[a-z]+\)/.exec(Status)?.[0] ?? "";
    const ids = Object.values(NetworkSettings.Networks).map((it) => it.EndpointID);
    const endpoints = ids.filter((id) => id !== "");
    if (endpoints.length === 0 && !this.#isConnected) return Status;
    return `running ${endpoints.join(" ")} ${told} ${health}`;
  }

  #changesOf(id: string): number {
    return this.#changes.get(id) ?? 0;
  }

  /** Undefined where it is not EVM's, or was removed since. */
  async #look(
    { Id, Labels }: ContainerInfo,
    shown: string,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    try {
      const doing = `inspecting container ${Id}`;
      const container = await this.#engine.inspect(Id, doing, signal, INSPECTION_PATIENCE_MS);
      const instance = container && instanceOf(container, this.#owner);
      return instance && { shown, instance };
    } catch (error) {
      const isBusy = error instanceof DriverError && error.code === "cancelled";
      if (!isBusy || signal.aborted) throw error;
      const identity = identityOf(Labels, this.#owner);
      return identity && { shown: AT_WORK, instance: { ...identity, ...RUNNING } };
    }
  }
}

/** What no list shows: it is looked at again every time. */
const AT_WORK = "";
const RUNNING = {
  state: "running",
  exit: undefined,
  reason: undefined,
  startedAt: undefined,
  address: undefined,
} as const;

const byRef = (a: DriverInstance, b: DriverInstance): number =>
  a.name === b.name ? a.incarnation - b.incarnation : a.name < b.name ? -1 : 1;
