/** A host for pure simulations: an agent that converges, over a driver that is a map. */
import {
  acceptOrders,
  converge,
  type History,
  type HostName,
  type HostView,
  type Observed,
  type Orders,
  type Report,
  remember,
  runtimeName,
  type Step,
} from "../src/index.ts";
import { agentOf } from "./build.ts";

type Runtime = {
  readonly instance: Observed;
  state: "created" | "running" | "exited";
  exit: Observed["exit"];
  since: number;
};

/** What happened to real disks and processes, for oracles that do not trust orders. */
export type Witness = {
  readonly started: (host: HostName, key: string) => void;
  readonly discarded: (host: HostName, key: string) => void;
  /** Instances of such a template end with a failure as soon as they are started. */
  readonly isBroken: (template: Observed["template"]) => boolean;
};

export class SimulatedHost {
  readonly view: HostView;
  readonly runtimes = new Map<string, Runtime>();
  readonly #witness: Witness;
  #orders: Orders | undefined;
  #history: History = new Map();

  constructor(view: HostView, witness: Witness) {
    this.view = view;
    this.#witness = witness;
  }

  get generation(): number {
    return this.#orders?.generation ?? 0;
  }

  /** Those in force. */
  get orders(): Orders | undefined {
    return this.#orders;
  }

  /** True where all that it is to run is there, running or not. */
  get hasBegunAll(): boolean {
    const instances = this.#orders?.instances ?? [];
    return instances.every(
      (one) => one.desired !== "run" || this.runtimes.has(runtimeName(one.name, one.incarnation)),
    );
  }

  /** True where the orders were taken, or are those it has. */
  receive(orders: Orders): boolean {
    const acceptance = acceptOrders(agentOf(this.view.name), this.#orders, orders);
    if (acceptance.kind === "accepted") this.#orders = orders;
    return acceptance.kind === "accepted" || acceptance.kind === "same";
  }

  /** Takes one step for every instance that needs one. */
  act(now: number): void {
    const input = { orders: this.#orders, observed: this.observe(), history: this.#history, now };
    for (const step of converge(input)) {
      this.#history = remember(this.#history, step);
      this.#carryOut(step, now);
    }
  }

  observe(): readonly Observed[] {
    return [...this.runtimes.values()].map(({ instance, state, exit, since }) => {
      const key = runtimeName(instance.name, instance.incarnation);
      const givenUp = this.#history.get(key)?.givenUp;
      const phase = state === "running" ? "ready" : givenUp === undefined ? "stopped" : "failed";
      const restarts = this.#history.get(key)?.restartedAt.length ?? 0;
      return { ...instance, phase, restarts, exit: state === "exited" ? exit : undefined, since };
    });
  }

  report(): Report {
    const { report } = this.view;
    if (report === undefined) throw new Error(`${this.view.name} has no report to begin with`);
    return {
      ...report,
      epoch: this.#orders?.epoch ?? 0,
      generation: this.generation,
      instances: this.observe(),
    };
  }

  /** Ends whatever runs, as a crash of the host does, and forgets what the agent remembered. */
  losePower(now: number): void {
    for (const runtime of this.runtimes.values()) {
      if (runtime.state === "running") end(runtime, "failure", now);
    }
    this.#history = new Map();
  }

  /** Ends one running incarnation behind the agent's back. */
  crash(at: number, now: number): void {
    const running = [...this.runtimes.values()].filter((one) => one.state === "running");
    const victim = running[at % Math.max(1, running.length)];
    if (victim !== undefined) end(victim, "failure", now);
  }

  #carryOut(step: Step, now: number): void {
    const key = runtimeName(step.name, step.incarnation);
    const runtime = this.runtimes.get(key);
    switch (step.kind) {
      case "prepare": {
        const { name, fleet, index, incarnation, template } = step.ordered;
        const about = { name, fleet, index, incarnation, template, kind: step.driver };
        const rest = { restarts: 0, reason: undefined, address: undefined } as const;
        const instance: Observed = {
          ...about,
          ...rest,
          phase: "stopped",
          since: now,
          exit: undefined,
        };
        this.runtimes.set(key, { instance, state: "created", exit: undefined, since: now });
        break;
      }
      case "start":
        if (runtime === undefined) throw new Error(`${key} was started before it was prepared`);
        runtime.state = "running";
        runtime.since = now;
        this.#witness.started(this.view.name, key);
        if (this.#witness.isBroken(runtime.instance.template)) end(runtime, "failure", now);
        break;
      case "stop":
        if (runtime?.state === "running") end(runtime, "success", now);
        break;
      case "discard":
        if (runtime?.state === "running") throw new Error(`${key} was discarded while it ran`);
        this.runtimes.delete(key);
        this.#witness.discarded(this.view.name, key);
        break;
      case "wait":
      case "giveUp":
        break;
    }
  }
}

function end(runtime: Runtime, exit: "success" | "failure", now: number): void {
  runtime.state = "exited";
  runtime.exit = exit;
  runtime.since = now;
}
