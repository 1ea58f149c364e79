/**
 * One host's agent: reads its orders, looks at what its drivers run, takes the next steps, and
 * reports. It starts and ends without touching what runs: a new agent adopts it, since the drivers
 * tell what exists and the state directory what was ordered. Without coordinators or the store it
 * goes on by the last orders.
 */
import type { Driver } from "@evm/drivers";
import {
  type AgentId,
  artifactsOf,
  type Clock,
  type Digest,
  type Labels,
  type Observed,
  type TemplateKind,
} from "@evm/fleet";
import type { ImageCache } from "@evm/images";
import type { HostStore } from "@evm/store";
import { type Health, type Log, runTogether } from "@evm/telemetry";
import type { Machine, Reserve } from "./capacity.ts";
import { EventLog } from "./events.ts";
import { HistoryKeeper } from "./history.ts";
import { HostStatus } from "./host-status.ts";
import { Lease } from "./lease.ts";
import { Lister } from "./lister.ts";
import { type AgentMetrics, measureInstances } from "./metrics.ts";
import { OrdersKeeper } from "./orders-keeper.ts";
import { Reporter } from "./reporter.ts";
import { eventsBetween } from "./shown.ts";
import type { StateDir } from "./state-dir.ts";
import { type Slots, StepRunner } from "./steps.ts";
import { Tasks } from "./tasks.ts";
import { serveVerbs } from "./verbs.ts";
import { Worker } from "./worker.ts";

export type AgentOptions = {
  /** Lives as long as the state directory. */
  readonly id: AgentId;
  readonly store: HostStore;
  /** One of each kind at most. */
  readonly drivers: readonly Driver[];
  readonly images: Pick<ImageCache, "status">;
  readonly stateDir: StateDir;
  readonly labels: Labels;
  readonly machine: Machine;
  readonly reserve: Reserve;
  readonly slots: Record<TemplateKind, Slots>;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: AgentMetrics;
};

export class Agent {
  readonly #options: AgentOptions;
  readonly #tasks: Tasks;
  readonly #events: EventLog;
  readonly #orders: OrdersKeeper;
  readonly #history: HistoryKeeper;
  readonly #lease: Lease;
  readonly #listers: ReadonlyMap<TemplateKind, Lister>;
  readonly #status: HostStatus;
  readonly #reporter: Reporter;
  readonly #worker: Worker;
  /** What the last pass showed; undefined before the first in which every driver was listed. */
  #shown: ReadonlyMap<string, Observed> | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { drivers } = options;
    const wake = () => this.#worker.wake();
    this.#tasks = new Tasks({
      onProgress: wake,
      onEnd: (task, isDone) => {
        this.#worker.taskEnded(task, isDone);
        // An image of a VM is in a pool now; and what failed may have done so for want of a driver.
        const isFetched = isDone && task.subject.kind === "vm";
        if (task.kind === "prepare" && (isFetched || !isDone)) this.#status.refresh();
      },
    });
    this.#events = new EventLog(options);
    this.#history = new HistoryKeeper(options);
    const onChange = () => {
      wake();
      this.#reporter.wake();
    };
    const onHost = (asHost: AbortSignal) =>
      serveVerbs({ ...options, listers: this.#listers, orders }, asHost);
    this.#orders = new OrdersKeeper({ ...options, events: this.#events, onChange, onHost });
    const orders = () => this.#orders.current;
    const applied = () => this.#orders.applied;
    this.#lease = new Lease({ ...options, applied, onGained: wake });
    const onListed = () => this.#worker.listed();
    this.#listers = new Map(
      drivers.map((driver) => [driver.kind, new Lister({ ...options, driver, onListed })]),
    );
    this.#status = new HostStatus({
      ...options,
      onChange: () => this.#reporter.wake(),
      onFetched: (artifact, pool) => this.#fetched(artifact, pool),
    });
    const isHost = () => this.#orders.isHost;
    this.#reporter = new Reporter({ ...options, status: this.#status, applied, isHost });
    const steps = new StepRunner({
      ...options,
      drivers: new Map(drivers.map((driver) => [driver.kind, driver])),
      tasks: this.#tasks,
      history: this.#history,
      events: this.#events,
    });
    this.#worker = new Worker({
      ...options,
      orders,
      kept: () => this.#orders.kept,
      lease: this.#lease,
      listers: this.#listers,
      tasks: this.#tasks,
      history: this.#history,
      steps,
      onPass: (shown) => this.#passed(shown),
    });
  }

  get health(): Health {
    return this.#worker.health;
  }

  /** Works until the signal fires, and leaves everything running. Throws only on a defect. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    await Promise.all([this.#orders.load(), this.#history.load(), this.#lease.load()]);
    const listers = [...this.#listers.values()];
    try {
      await runTogether(
        [
          (either) => this.#orders.run(either),
          (either) => this.#lease.run(either),
          (either) => this.#status.run(either),
          ...listers.map((lister) => (either: AbortSignal) => lister.run(either)),
          (either) => this.#worker.run(either),
          (either) => this.#reporter.run(either),
          (either) => this.#events.run(either),
          (either) => this.#history.run(either),
        ],
        signal,
      );
    } finally {
      await this.#tasks.drain();
      await this.#history.save();
    }
    log.info("the agent has ended; what runs goes on");
  }

  #passed(shown: ReadonlyMap<string, Observed>): void {
    if (this.#shown === undefined) this.#started(shown);
    else for (const event of eventsBetween(this.#shown, shown)) this.#events.append(event);
    this.#shown = shown;
    const sorted = [...shown.values()].sort(byNameAndIncarnation);
    this.#reporter.publish(sorted);
    measureInstances(sorted, this.#options.metrics);
  }

  #fetched(artifact: Digest, pool: string): void {
    const images = this.#orders.current?.templates.flatMap(({ image }) => image ?? []) ?? [];
    const image = images.find((one) => artifactsOf(one).some(({ digest }) => digest === artifact));
    const what = image === undefined ? artifact : `image ${image.name} (${artifact})`;
    const text = `${what} was fetched to pool ${pool}`;
    this.#events.append({ severity: "info", reason: "ImageFetched", text });
  }

  #started(shown: ReadonlyMap<string, Observed>): void {
    const alive = [...shown.values()].filter(
      ({ phase }) => phase === "running" || phase === "ready",
    );
    const text = `the agent found ${shown.size} instances, ${alive.length} of them running`;
    this.#events.append({ severity: "info", reason: "AgentStarted", text });
    this.#options.log.info("ready", { instances: shown.size, running: alive.length });
  }
}

const byNameAndIncarnation = (a: Observed, b: Observed): number =>
  a.name === b.name ? a.incarnation - b.incarnation : a.name < b.name ? -1 : 1;
