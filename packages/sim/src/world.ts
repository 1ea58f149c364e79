/**
 * A whole pool in one process: the production coordinators and agents on simulated machines, the
 * store in memory behind a simulated network, fake runtimes, and time that passes in steps. The
 * oracles look after every step that changed anything, and now and then at everything.
 */
import type { AgentMetrics } from "@evm/agent";
import type { CoordinatorMetrics } from "@evm/coordinator";
import { type Digest, type HostName, isHostName, type Resources, type Waiting } from "@evm/fleet";
import { type ControlState, createMemoryStore } from "@evm/store";
import { ControlTruth } from "./control-truth.ts";
import { SimulatedHost } from "./host.ts";
import { Network } from "./network.ts";
import { SimulatedNode } from "./node.ts";
import { Observer } from "./observer.ts";
import { unexplained } from "./oracles/reasons.ts";
import type { Oracle, Truth } from "./oracles/truth.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Teller } from "./teller.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";

const LEASE_MARGIN_MS = 1_500;
/** How often, in leases, is looked at what leaders let wait, and what time alone makes wrong. */
const STEADY_LOOK_LEASES = 1 / 6;
/** How often everything is looked at, whether it changed or not. */
const FULL_LOOK_LEASES = 5;

/** What programs count; one for all worlds, since nothing in a world reads it. */
export type WorldMetrics = {
  readonly agent: AgentMetrics;
  readonly coordinator: CoordinatorMetrics;
};

export type WorldOptions = {
  readonly random: SeededRandom;
  readonly hosts: number;
  readonly coordinators: number;
  readonly capacity: Resources;
  readonly leaseMs: number;
  readonly metrics: WorldMetrics;
  readonly print: ((line: string) => void) | undefined;
};

export class World {
  readonly timeline = new Timeline();
  readonly network: Network;
  readonly trace: Trace;
  readonly hosts: readonly SimulatedHost[];
  readonly nodes: readonly SimulatedNode[];
  /** What each template that was ever declared takes. */
  readonly resources = new Map<Digest, Resources>();
  /** Templates that do not work: what is made of them ends soon after each start. */
  readonly failing = new Set<Digest>();
  readonly violations: string[] = [];
  readonly controlTruth: ControlTruth;
  readonly #observer: Observer;
  readonly #oracles: readonly Oracle[];
  readonly #steady: readonly Oracle[];
  readonly #teller: Teller;
  readonly #over = new AbortController();
  /** What leaders decided on that was looked at already. */
  #explained: unknown;
  readonly #fullLookMs: number;
  #fullLookAtMs: number;
  readonly #steadyLookMs: number;
  #steadyAtMs: number;

  /**
   * @param oracles look after every change
   * @param steady look six times in a lease, whatever changes
   */
  constructor(options: WorldOptions, oracles: readonly Oracle[], steady: readonly Oracle[]) {
    const { random, metrics } = options;
    const { timeline } = this;
    this.#oracles = oracles;
    this.#steady = steady;
    this.#fullLookMs = FULL_LOOK_LEASES * options.leaseMs;
    this.#fullLookAtMs = this.#fullLookMs;
    this.#steadyLookMs = STEADY_LOOK_LEASES * options.leaseMs;
    this.#steadyAtMs = this.#steadyLookMs;
    this.trace = new Trace({
      timeline,
      print: options.print,
      onRefusedPlan: (text) => this.violate("check", text),
    });
    const { trace } = this;
    this.network = new Network(timeline, random.fork("network"), () =>
      this.#observer.leaseGranted(),
    );
    const { network } = this;
    this.#teller = new Teller(trace, network);
    const memory = createMemoryStore();
    this.controlTruth = new ControlTruth(memory);
    const { controlTruth } = this;
    const { clock } = new SimulatedProcess(timeline, { clockRate: 1, wallOffsetMs: 0 });
    const { over } = this;
    const onDefect = (text: string) => this.violate("defect", text);
    this.hosts = hostNames(options.hosts).map((name) => {
      const host: SimulatedHost = new SimulatedHost({
        name,
        capacity: options.capacity,
        network,
        server: memory.host(name),
        clock,
        random: random.fork(name),
        trace,
        metrics: metrics.agent,
        isFailing: (template) => this.failing.has(template),
        onChange: () => this.#observer.hostChanged(host),
        onDefect,
        over,
      });
      return host;
    });
    this.nodes = Array.from({ length: options.coordinators }, (_, index) => {
      const id = `c${index + 1}`;
      return new SimulatedNode({
        id,
        network,
        connect: () => memory.coordinator(id),
        random: random.fork(id),
        trace,
        metrics: metrics.coordinator,
        lease: { leaseMs: options.leaseMs, marginMs: LEASE_MARGIN_MS },
        onDefect,
        onRestored: () => {
          trace.add(`${id} restored the control state`);
          controlTruth.restored();
        },
        over,
      });
    });
    const { hosts, resources } = this;
    this.#observer = new Observer({ controlTruth, hosts, network, resources });
    controlTruth.watch(() => this.#observer.controlChanged(), over);
  }

  /** Fires when it ends. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Starts every program that does not run. */
  start(): void {
    for (const program of [...this.nodes, ...this.hosts]) program.start();
  }

  /** Ends every program, and what else waits or watches. */
  end(): void {
    for (const { life } of this.nodes) life?.process.kill();
    for (const { process } of this.hosts) process?.kill();
    this.#over.abort();
  }

  /** Lets time pass, up to a moment or to the first violation. */
  async runUntil(endMs: number): Promise<void> {
    let isOver = false;
    this.timeline.after(endMs - this.timeline.nowMs, () => {
      isOver = true;
    });
    await this.timeline.run(() => {
      const { nowMs } = this.timeline;
      if (this.#observer.isChanged) this.#look(this.#observer.look());
      if (nowMs >= this.#steadyAtMs) this.#lookSteadily();
      if (nowMs >= this.#fullLookAtMs) this.lookAtAll();
      return !isOver && this.violations.length === 0;
    });
  }

  /** The store loses its control state; see `ControlTruth`. */
  loseControl(backup: ControlState | undefined): void {
    this.controlTruth.lose(backup);
    this.network.forgetOrders();
  }

  /**
   * Whether a host told, other than this one, that later orders were written than are there. Where
   * none are stored for it, but are for others, it may be one from elsewhere.
   */
  isTold({ orders }: ControlState, without?: SimulatedHost): boolean {
    const reports = this.controlTruth.reports();
    return this.hosts.some((host) => {
      const report = reports.get(host.name);
      // What was replaced tells nothing any more.
      if (host === without || report?.agent !== host.agentId) return false;
      const { generation } = report;
      const stored = orders.get(host.name)?.value.generation;
      return generation > (stored ?? (orders.size === 0 ? 0 : generation));
    });
  }

  violate(invariant: string, text: string): void {
    this.violations.push(`${invariant}: ${text}`);
    this.trace.add(`VIOLATION ${invariant}: ${text}`);
  }

  /** Shows everything to every oracle. */
  lookAtAll(): Truth {
    this.#fullLookAtMs = this.timeline.nowMs + this.#fullLookMs;
    const truth = this.#observer.lookAtAll();
    this.#look(truth);
    return truth;
  }

  /** For how long the present leader could hear hosts when it sent its last commit. */
  listenedMs(): number | undefined {
    return this.#leader()?.commit.listenedMs;
  }

  /** For how long the present leader had not heard of a host when it sent its last commit. */
  silentMs(host: HostName): number | undefined {
    const leader = this.#leader();
    return leader && leader.commit.atMs - this.network.heardAtMs(host, leader.address);
  }

  /** An operator says of machines that were replaced what the brake does not believe: see 0009. */
  async confirmReplaced(): Promise<void> {
    const hosts = this.#leaders().at(0)?.picture().snapshot.hosts ?? [];
    for (const { name, admin, liveness, rival, report } of hosts) {
      if (liveness !== "silent" || rival === undefined) continue;
      const confirmedLost = report?.reportedAt ?? 0;
      const known = this.controlTruth.control().hosts.get(name);
      if (known?.value.confirmedLost === confirmedLost) continue;
      this.trace.add(`operator says that ${name} is lost`);
      await this.controlTruth.putHost({ name, admin, confirmedLost }, known?.revision ?? 0);
    }
  }

  #leader(): SimulatedNode | undefined {
    const { leader } = this.controlTruth.control().epoch;
    return this.nodes.find(({ id }) => id === leader);
  }

  /** What the leader lets wait, with its reasons; undefined where nobody leads. */
  waiting(): readonly Waiting[] | undefined {
    return this.#leaders().at(0)?.picture().plan.waiting;
  }

  #look(truth: Truth): void {
    this.#teller.tell(truth);
    this.#show(truth, this.#oracles);
  }

  #show(truth: Truth, oracles: readonly Oracle[]): void {
    for (const { invariant, look } of oracles) {
      for (const text of look(truth)) this.violate(invariant, text);
    }
  }

  #lookSteadily(): void {
    this.#steadyAtMs = this.timeline.nowMs + this.#steadyLookMs;
    this.#show(this.#observer.still(), this.#steady);
    for (const leader of this.#leaders()) {
      const { snapshot, plan } = leader.picture();
      if (plan === this.#explained) continue;
      this.#explained = plan;
      for (const text of unexplained(snapshot, plan)) this.violate("I8", text);
    }
  }

  /** The coordinators that hold the newest epoch: one at the most. */
  #leaders() {
    const { epoch } = this.controlTruth.control().epoch;
    return this.nodes.flatMap(({ life }) => {
      const state = life?.coordinator.leadership;
      if (life === undefined || state?.kind !== "leading" || state.epoch !== epoch) return [];
      return [life.coordinator];
    });
  }
}

function hostNames(count: number): readonly HostName[] {
  const digits = String(count).length;
  const names = Array.from(
    { length: count },
    (_, at) => `h${String(at + 1).padStart(digits, "0")}`,
  );
  return names.filter(isHostName);
}
