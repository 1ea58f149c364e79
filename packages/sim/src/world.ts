/**
 * A whole pool in one process: the production coordinators and agents on simulated machines, the
 * store in memory behind a simulated network, fake runtimes, and time that passes in steps. The
 * oracles look after every step that changed anything.
 */
import type { AgentMetrics } from "@evm/agent";
import { ordersCodec } from "@evm/codec";
import type { CoordinatorMetrics } from "@evm/coordinator";
import {
  type Digest,
  type HostName,
  isHostName,
  type Orders,
  type Resources,
  reconcile,
  type Waiting,
} from "@evm/fleet";
import { type CoordinatorStore, createMemoryStore } from "@evm/store";
import { SimulatedHost } from "./host.ts";
import { NEVER } from "./link.ts";
import { Network } from "./network.ts";
import { SimulatedNode } from "./node.ts";
import { unexplained } from "./oracles/reasons.ts";
import { keyOf, type Oracle, type Truth } from "./oracles/truth.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import type { Variant } from "./variant.ts";

const LEASE_MS = 6_000;
/** How often what leaders would let wait is looked at: working it out costs a whole plan. */
const REASONS_INTERVAL_MS = 1_000;

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
  readonly variant: Variant;
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
  readonly violations: string[] = [];
  readonly #observer: CoordinatorStore;
  readonly #oracles: readonly Oracle[];
  readonly #accepted = new Map<Uint8Array, Orders>();
  readonly #seen = new Map<string, string>();
  readonly #written = new Map<HostName, Orders>();
  #isChanged = true;

  constructor(options: WorldOptions, oracles: readonly Oracle[]) {
    const { random, variant, metrics } = options;
    const { timeline } = this;
    this.#oracles = oracles;
    this.trace = new Trace({
      timeline,
      print: options.print,
      onRefusedPlan: (text) => this.violate("check", text),
    });
    const { trace } = this;
    this.network = new Network(timeline, random.fork("network"));
    const { network } = this;
    const memory = createMemoryStore();
    this.#observer = memory.coordinator("observer");
    this.#observer.watch(() => this.#changed(), NEVER);
    const { clock } = new SimulatedProcess({ timeline, clockRate: 1 });
    const onDefect = (text: string) => this.violate("defect", text);
    const onChange = () => this.#changed();
    this.hosts = hostNames(options.hosts).map((name) => {
      const own = random.fork(name);
      const { capacity } = options;
      return new SimulatedHost({
        name,
        capacity,
        claimed: scaled(capacity, variant.capacityFactor),
        network,
        server: memory.host(name),
        clock,
        random: own,
        trace,
        metrics: metrics.agent,
        wrapDriver: (driver) => variant.driver(driver, own),
        wrapStateDir: variant.stateDir,
        onChange,
        onDefect,
      });
    });
    const lease = { leaseMs: LEASE_MS, marginMs: variant.marginMs };
    this.nodes = Array.from({ length: options.coordinators }, (_, index) => {
      const id = `c${index + 1}`;
      const own = random.fork(id);
      const server = variant.store(memory.coordinator(id), own);
      const coordinator = metrics.coordinator;
      return new SimulatedNode({
        id,
        network,
        server,
        random: own,
        trace,
        metrics: coordinator,
        lease,
        onDefect,
      });
    });
  }

  /** Starts every program that does not run. */
  start(): void {
    for (const program of [...this.nodes, ...this.hosts]) program.start();
  }

  /** Ends every program. */
  end(): void {
    for (const { life } of this.nodes) life?.process.kill();
    for (const { process } of this.hosts) process?.kill();
  }

  /** Lets time pass, up to a moment or to the first violation. */
  async runUntil(endMs: number): Promise<void> {
    let isOver = false;
    let reasonsAtMs = this.timeline.nowMs;
    this.timeline.after(endMs - this.timeline.nowMs, () => {
      isOver = true;
    });
    while (!isOver && this.violations.length === 0 && (await this.timeline.step())) {
      if (this.#isChanged) this.#look();
      if (this.timeline.nowMs < reasonsAtMs) continue;
      reasonsAtMs = this.timeline.nowMs + REASONS_INTERVAL_MS;
      this.#lookAtReasons();
    }
  }

  violate(invariant: string, text: string): void {
    this.violations.push(`${invariant}: ${text}`);
    this.trace.add(`VIOLATION ${invariant}: ${text}`);
  }

  truth(): Truth {
    return {
      nowMs: this.timeline.nowMs,
      control: this.#observer.control(),
      hosts: this.hosts.map((host) => ({
        name: host.name,
        capacity: host.capacity,
        instances: host.runtime.instances(),
        accepted: this.#acceptedBy(host),
        leasedUntilMs: this.network.leasedUntilMs.get(host.name) ?? 0,
      })),
      resources: this.resources,
    };
  }

  /** What the leader lets wait, with its reasons; undefined where nobody leads. */
  waiting(): readonly Waiting[] | undefined {
    const leader = this.#leaders().at(0);
    return leader && reconcile(leader.picture().snapshot).waiting;
  }

  #changed(): void {
    this.#isChanged = true;
  }

  #look(): void {
    this.#isChanged = false;
    const truth = this.truth();
    this.#tell(truth);
    for (const { invariant, look } of this.#oracles) {
      for (const text of look(truth)) this.violate(invariant, text);
    }
  }

  #lookAtReasons(): void {
    for (const leader of this.#leaders()) {
      for (const text of unexplained(leader.picture().snapshot)) this.violate("I8", text);
    }
  }

  /** The coordinators that hold the newest epoch: one at the most. */
  #leaders() {
    const { epoch } = this.#observer.control().epoch;
    return this.nodes.flatMap(({ life }) => {
      const state = life?.coordinator.leadership;
      if (life === undefined || state?.kind !== "leading" || state.epoch !== epoch) return [];
      return [life.coordinator];
    });
  }

  /** Writes what changed into the trace, and keeps old orders for hosts to be given again. */
  #tell({ control, hosts }: Truth): void {
    for (const [host, { value }] of control.orders) {
      if (this.#written.get(host) === value) continue;
      this.#written.set(host, value);
      this.network.remember(value);
      const entries = value.instances.map((one) => `${keyOf(one)}=${one.desired}`).join(" ");
      this.trace.add(`orders ${host} ${value.epoch}/${value.generation}: ${entries}`);
    }
    for (const { name: host, instances } of hosts) {
      const states = instances.map((one) => `${keyOf(one)}=${one.state}`).join(" ");
      if (states === (this.#seen.get(host) ?? "")) continue;
      this.#seen.set(host, states);
      this.trace.add(`${host} holds: ${states}`);
    }
  }

  #acceptedBy({ disk }: SimulatedHost): Orders | undefined {
    const content = disk.file("orders.binpb");
    if (content === undefined) return undefined;
    const known = this.#accepted.get(content);
    if (known !== undefined) return known;
    const orders = ordersCodec.decode(content);
    this.#accepted.set(content, orders);
    return orders;
  }
}

function hostNames(count: number): readonly HostName[] {
  return Array.from({ length: count }, (_, index) => `h${index + 1}`).filter(isHostName);
}

const scaled = (one: Resources, factor: number): Resources => ({
  vcpuMillis: one.vcpuMillis * factor,
  memoryMib: one.memoryMib * factor,
  diskMib: one.diskMib,
});
