/** A machine that runs a coordinator, which keeps nothing over its death but its exports. */
import { Coordinator, type CoordinatorMetrics, Exporter, exportable } from "@evm/coordinator";
import type { CoordinatorStore } from "@evm/store";
import { runTogether } from "@evm/telemetry";
import { CoordinatorLink } from "./coordinator-link.ts";
import { Exports } from "./exports.ts";
import type { Network } from "./network.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Streak } from "./streak.ts";
import type { Trace } from "./trace.ts";

/** A coordinator that starts while it cannot reach the store tries again after this. */
const CONNECT_RETRY_MS = 1_000;
/** Its own clock and its timers are late by up to so much. */
const TOLERANCE_MS = 100;
/** How often in a lease it looks whether it can hear. */
const LISTENS_PER_LEASE = 24;
/** Enough that none that may be wanted is removed. */
const KEPT_EXPORTS = 30;

export type NodeOptions = {
  readonly id: string;
  readonly network: Network;
  /** Connects to the store. */
  readonly connect: () => CoordinatorStore;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly metrics: CoordinatorMetrics;
  readonly lease: { readonly leaseMs: number; readonly marginMs: number };
  /** Called where the coordinator ends by itself. */
  readonly onDefect: (text: string) => void;
  /** Called when a restore was written. */
  readonly onRestored: () => void;
  /** Fires when the world ends. */
  readonly over: AbortSignal;
};

type Life = {
  readonly startedAtMs: number;
  readonly process: SimulatedProcess;
  readonly coordinator: Coordinator;
  readonly link: CoordinatorLink;
};

export class SimulatedNode {
  readonly id: string;
  /** How fast the machine's clocks run. */
  clockRate = 1;
  /** By how much its wall clock was set. */
  wallOffsetMs = 0;
  /** How often it exports what is declared; undefined: never. Read when the program starts. */
  exportIntervalMs: number | undefined;
  readonly exports = new Exports();
  readonly #options: NodeOptions;
  #life: Life | undefined;
  #lives = 0;
  /** What is not noticed while it is frozen is no pause of hearing. */
  readonly #hearing: Streak;
  readonly #running: Streak;
  #commit = { atMs: 0, listenedMs: 0 };

  constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id;
    const { leaseMs } = options.lease;
    this.#hearing = new Streak(leaseMs / LISTENS_PER_LEASE + TOLERANCE_MS);
    // What is shorter leaves time for what was sent meanwhile.
    this.#running = new Streak(leaseMs / 2 + TOLERANCE_MS);
    options.network.onChange(() => this.#listen(), options.over);
  }

  /** Its name on the network. */
  get address(): string {
    return `coordinator/${this.id}`;
  }

  /** Undefined while the coordinator is dead. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** Starts a coordinator, as soon as it can reach the store. */
  start(): void {
    const { network, trace, onDefect } = this.#options;
    if (this.#life !== undefined) return;
    if (!network.reachesStore(this.address)) {
      network.timeline.after(CONNECT_RETRY_MS, () => this.start());
      return;
    }
    this.#lives += 1;
    trace.add(`${this.address} starts`);
    for (const streak of [this.#hearing, this.#running]) streak.begin(network.timeline.nowMs);
    const life = this.#newLife();
    const { process } = life;
    this.#life = life;
    const ended = (how: string) => {
      if (!process.signal.aborted) onDefect(`coordinator ${this.id} ended: ${how}`);
    };
    this.#run(life).then(
      () => ended("without a reason"),
      (error: unknown) => ended(String(error)),
    );
  }

  kill(): void {
    this.#life?.process.kill();
    this.#life = undefined;
    this.#options.trace.add(`${this.address} is killed`);
  }

  /** Stops it as by SIGSTOP; returns what lets it go on. */
  freeze(losesMessages: boolean): () => void {
    const process = this.#life?.process;
    process?.freeze(losesMessages);
    this.#listen();
    return () => {
      process?.thaw();
      this.#listen();
    };
  }

  /** When it sent its last commit of orders, and for how long it could hear hosts by then. */
  get commit(): { readonly atMs: number; readonly listenedMs: number } {
    return this.#commit;
  }

  #listen(): void {
    const { network } = this.#options;
    const { nowMs } = network.timeline;
    const isFrozen = this.#life?.process.isFrozen === true;
    this.#running.look(nowMs, !isFrozen);
    this.#hearing.look(nowMs, isFrozen || network.reachesStore(this.address));
  }

  #noteCommit(): void {
    const atMs = this.#options.network.timeline.nowMs;
    const listenedMs = Math.min(this.#hearing.lastedMs(atMs), this.#running.lastedMs(atMs));
    this.#commit = { atMs, listenedMs };
  }

  #run({ process, coordinator, link }: Life): Promise<void> {
    const intervalMs = this.exportIntervalMs;
    if (intervalMs === undefined) return coordinator.run(process.signal);
    const { trace, metrics } = this.#options;
    const { clock } = process;
    const exporter = new Exporter({
      folder: this.exports,
      intervalMs,
      keep: KEPT_EXPORTS,
      take: () => exportable(coordinator, link, clock.now()),
      clock,
      log: trace.log(this.address),
      announcer: coordinator.announcer,
      metrics,
    });
    const loops = [
      (end: AbortSignal) => coordinator.run(end),
      (end: AbortSignal) => exporter.run(end),
    ];
    return runTogether(loops, process.signal);
  }

  #newLife(): Life {
    const { id, network, connect, random, trace, metrics, lease, onRestored } = this.#options;
    const process = new SimulatedProcess(network.timeline, this);
    const link = new CoordinatorLink({
      endpoint: { name: this.address, process },
      network,
      server: connect(),
      onCommit: () => this.#noteCommit(),
      onRestored,
    });
    const coordinator = new Coordinator({
      id,
      store: link,
      clock: process.clock,
      random: random.fork(`life ${this.#lives}`).next,
      log: trace.log(this.address),
      metrics,
      lease,
      overcommit: { vcpu: 1, memory: 1, disk: 1 },
      waveShare: 0.1,
      maxLostShare: 0.3,
    });
    return { startedAtMs: network.timeline.nowMs, process, coordinator, link };
  }
}
