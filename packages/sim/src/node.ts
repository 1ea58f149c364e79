/** A machine that runs a coordinator, which keeps nothing over its death. */
import { Coordinator, type CoordinatorMetrics } from "@evm/coordinator";
import type { CoordinatorStore } from "@evm/store";
import { CoordinatorLink } from "./coordinator-link.ts";
import type { Network } from "./network.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Trace } from "./trace.ts";

/** A coordinator that starts while it cannot reach the store tries again after this. */
const CONNECT_RETRY_MS = 1_000;

export type NodeOptions = {
  readonly id: string;
  readonly network: Network;
  readonly server: CoordinatorStore;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly metrics: CoordinatorMetrics;
  readonly lease: { readonly leaseMs: number; readonly marginMs: number };
  /** Called where the coordinator ends by itself. */
  readonly onDefect: (text: string) => void;
};

type Life = {
  readonly process: SimulatedProcess;
  readonly coordinator: Coordinator;
  readonly link: CoordinatorLink;
};

export class SimulatedNode {
  readonly id: string;
  /** How fast the machine's clock runs. */
  clockRate = 1;
  readonly #options: NodeOptions;
  #life: Life | undefined;
  #lives = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id;
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
    const life = this.#newLife();
    const { process, coordinator } = life;
    this.#life = life;
    const ended = (how: string) => {
      if (!process.signal.aborted) onDefect(`coordinator ${this.id} ended: ${how}`);
    };
    coordinator.run(process.signal).then(
      () => ended("without a reason"),
      (error: unknown) => ended(String(error)),
    );
  }

  kill(): void {
    this.#life?.process.kill();
    this.#life = undefined;
    this.#options.trace.add(`${this.address} is killed`);
  }

  #newLife(): Life {
    const { id, network, server, random, trace, metrics, lease } = this.#options;
    const { clockRate } = this;
    const process = new SimulatedProcess({ timeline: network.timeline, clockRate });
    const link = new CoordinatorLink({
      endpoint: { name: this.address, process },
      network,
      server,
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
    return { process, coordinator, link };
  }
}
