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
 *     lets nobody inspect the container until it is through, so an inspection tells (D5).
 */
import type { ContainerInfo } from "dockerode";
import type { DriverInstance } from "../driver.ts";
import { ownerFilter } from "./container-labels.ts";
import { instanceOf } from "./container-view.ts";
import type { DockerEngine } from "./docker-engine.ts";

type Answer = { readonly shown: string; readonly instance: DriverInstance };

/** Inspections in flight: each costs the daemon 0.6 ms (measured), and it has other callers. */
const MAX_INSPECTIONS = 8;

export class ContainerList {
  readonly #engine: DockerEngine;
  readonly #owner: string;
  /** By container id; holds no more than the last list did. */
  #answers: ReadonlyMap<string, Answer> = new Map();
  /** How many starts were told of, by id of a container that is listed. */
  readonly #starts = new Map<string, number>();
  #connections = 0;
  #isConnected = false;

  constructor(engine: DockerEngine, owner: string) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** The daemon tells of every start from now on. */
  connected(): void {
    this.#connections += 1;
    this.#isConnected = true;
  }

  disconnected(): void {
    this.#isConnected = false;
  }

  /** The daemon told of a start, or may go on with one that was broken off. */
  started(id: string): void {
    this.#starts.set(id, this.#startsOf(id) + 1);
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
        const answer = known.get(container.Id);
        const isCurrent = answer?.shown === shown;
        const instance = isCurrent ? answer.instance : await this.#inspect(container.Id, signal);
        if (instance !== undefined) answers.set(container.Id, { shown, instance });
      }
    };
    await Promise.all(Array.from({ length: MAX_INSPECTIONS }, inspectAll));
    this.#answers = answers;
    for (const id of this.#starts.keys()) if (!answers.has(id)) this.#starts.delete(id);
    return [...answers.values()].map(({ instance }) => instance).sort(byRef);
  }

  /** Not by the status text of one that runs, which counts seconds, where others tell as much. */
  #shownOf({ Id, State, Status, NetworkSettings }: ContainerInfo): string {
    if (State !== "running") return `${Status} ${this.#startsOf(Id)}`;
    const health = /\((?:health: )?[a-z]+\)/.exec(Status)?.[0] ?? "";
    const ids = Object.values(NetworkSettings.Networks).map((it) => it.EndpointID);
    const endpoints = ids.filter((id) => id !== "");
    if (endpoints.length > 0) return `running ${endpoints.join(" ")} ${health}`;
    if (!this.#isConnected) return Status;
    return `running ${this.#connections} ${this.#startsOf(Id)} ${health}`;
  }

  #startsOf(id: string): number {
    return this.#starts.get(id) ?? 0;
  }

  /** Undefined where it is not EVM's, or was removed since. */
  async #inspect(id: string, signal: AbortSignal): Promise<DriverInstance | undefined> {
    const container = await this.#engine.inspect(id, `inspecting container ${id}`, signal);
    return container === undefined ? undefined : instanceOf(container, this.#owner);
  }
}

const byRef = (a: DriverInstance, b: DriverInstance): number =>
  a.name === b.name ? a.incarnation - b.incarnation : a.name < b.name ? -1 : 1;
