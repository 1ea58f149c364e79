/** A host: what runs on it and what lies on its disk outlive the agent that looks after them. */
import { Agent, type AgentMetrics } from "@evm/agent";
import { createFakeDriver, type Driver, type DriverInstance, FakeRuntime } from "@evm/drivers";
import {
  type AgentId,
  type Clock,
  type Digest,
  type HostName,
  type InstanceName,
  isAgentId,
  type Resources,
} from "@evm/fleet";
import type { HostStore } from "@evm/store";
import { Disk } from "./disk.ts";
import { DriverPort } from "./driver-port.ts";
import { HostLink } from "./host-link.ts";
import { Machinery } from "./machinery.ts";
import { hostAddress, type Network } from "./network.ts";
import type { Excuse } from "./oracles/truth.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Trace } from "./trace.ts";

const MIB = 1024 * 1024;
/** How many instances do not end when they are asked to, only by force. */
const STUBBORN_RATE = 0.15;
const FAILING = { endsAfterMs: 150, exitCode: 1 };
const SLOTS = { prepare: 8, start: 4, stop: 8, discard: 4, isHeldUntilReady: false };
/** More than all simulated instances, in quarantine or not, ever need. */
const POOL_MIB = 1024 * 1024;

export type HostOptions = {
  readonly name: HostName;
  readonly capacity: Resources;
  readonly network: Network;
  readonly server: HostStore;
  /** True time, for what runs here. */
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly metrics: AgentMetrics;
  /** Whether what is made of a template ends soon after each start. */
  readonly isFailing: (template: Digest) => boolean;
  /** Called whenever something changed on the host. */
  readonly onChange: () => void;
  /** Called where the agent ends by itself. */
  readonly onDefect: (text: string) => void;
  /** Fires when the world ends. */
  readonly over: AbortSignal;
};

export class SimulatedHost {
  readonly name: HostName;
  readonly runtime: FakeRuntime;
  readonly disk: Disk;
  readonly capacity: Resources;
  readonly machinery: Machinery;
  /** How fast the machine's clocks run. */
  clockRate = 1;
  /** By how much its wall clock was set. */
  wallOffsetMs = 0;
  /** Whether its runtimes finish what a killed agent began. */
  finishesVerbs = false;
  readonly #options: HostOptions;
  #process: SimulatedProcess | undefined;
  #lives = 0;
  /** How often it was set up anew: another machine, that bears the same name. */
  #machines = 1;
  /** When its agent last began anew, and when it last thawed. */
  #startedAtMs = 0;
  #thawedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HostOptions) {
    this.#options = options;
    this.name = options.name;
    this.capacity = options.capacity;
    const { clock, onChange, network, over } = options;
    this.disk = new Disk(onChange);
    const random = options.random.fork("runtime");
    this.runtime = new FakeRuntime({
      clock,
      random: random.next,
      program: ({ templateDigest }) => ({
        ...(options.isFailing(templateDigest) ? FAILING : {}),
        readyAfterMs: random.integer(200, 3_000),
        isStubborn: random.chance(STUBBORN_RATE),
      }),
    });
    this.machinery = new Machinery(network.timeline, options.random.fork("lies"), onChange);
    this.runtime.onChange(onChange, over);
  }

  /** Outlives every agent, as its disk does. */
  get agentId(): AgentId {
    const id = `agent-${this.name}-${this.#machines}`;
    if (isAgentId(id)) return id;
    throw new Error(`bad id of an agent: ${id}`);
  }

  /** Its name on the network. */
  get address(): string {
    return hostAddress(this.name);
  }

  /** The life of its agent; undefined while that is dead. */
  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  /** Starts an agent. */
  start(): void {
    if (this.#process !== undefined) return;
    const { network, trace, onDefect } = this.#options;
    const process = new SimulatedProcess(network.timeline, this);
    this.#process = process;
    this.#startedAtMs = network.timeline.nowMs;
    this.#lives += 1;
    trace.add(`${this.address} agent starts`);
    const ended = (how: string) => {
      if (!process.signal.aborted) onDefect(`the agent of ${this.name} ended: ${how}`);
    };
    this.#agent(process)
      .run(process.signal)
      .then(
        () => ended("without a reason"),
        (error: unknown) => ended(String(error)),
      );
  }

  /** Kills the agent; what runs goes on. */
  kill(): void {
    this.#process?.kill();
    this.#process = undefined;
    this.#options.trace.add(`${this.address} agent is killed`);
  }

  /** Stops the agent as by SIGSTOP; what runs goes on. Returns what lets it go on. */
  freeze(losesMessages: boolean): () => void {
    const process = this.#process;
    process?.freeze(losesMessages);
    return () => {
      process?.thaw();
      this.#thawedAtMs = this.#options.network.timeline.nowMs;
    };
  }

  /** What kept its agent, at some time since then, from ending an instance that it owes to end. */
  excuses(instance: DriverInstance, sinceMs: number): readonly Excuse[] {
    const found: Excuse[] = [];
    const isFrozen = this.#process?.isFrozen === true || this.#thawedAtMs >= sinceMs;
    if (isFrozen) found.push("frozen");
    if (this.#process === undefined || this.#startedAtMs >= sinceMs) found.push("restarted");
    if (this.machinery.hasFailedSince(sinceMs)) found.push("driver failed");
    if (this.machinery.hasLiedOf(instance)) found.push("driver lied");
    return found;
  }

  /** Kills the agent and everything that runs. */
  losePower(): void {
    this.kill();
    for (const one of this.running()) this.runtime.crash(one);
  }

  /** Another machine takes its place, under its name, once that is started: nothing is left. */
  replace(): void {
    this.losePower();
    this.#machines += 1;
    this.disk.wipe();
    this.runtime.wipe();
  }

  /** What truly runs here. */
  running(): readonly { readonly name: InstanceName; readonly incarnation: number }[] {
    return this.runtime.instances().filter(({ state }) => state === "running" || state === "ready");
  }

  #agent(process: SimulatedProcess): Agent {
    const { network, server, trace, metrics } = this.#options;
    const endpoint = { name: this.address, process };
    const { runtime, machinery, capacity } = this;
    const outlivesAgent = this.finishesVerbs;
    const driverOf = (kind: Driver["kind"]) => {
      const driver = createFakeDriver({ kind, runtime });
      return new DriverPort({ driver, process, outlivesAgent, machinery });
    };
    const totalBytes = POOL_MIB * MIB;
    const pool = { name: "main", totalBytes, freeBytes: totalBytes, artifacts: [] };
    return new Agent({
      id: this.agentId,
      store: new HostLink({ endpoint, network, server }),
      drivers: [driverOf("container"), driverOf("vm")],
      images: { status: async () => [pool] },
      stateDir: this.disk.openFor(process),
      labels: {},
      machine: { cpus: capacity.vcpuMillis / 1000, memoryBytes: capacity.memoryMib * MIB },
      reserve: { vcpus: 0, memoryMib: 0, diskMib: POOL_MIB - capacity.diskMib },
      slots: { container: SLOTS, vm: SLOTS },
      clock: process.clock,
      random: this.#options.random.fork(`agent ${this.#lives}`).next,
      log: trace.log(this.address),
      metrics,
    });
  }
}
