/** A host: what runs on it and what lies on its disk outlive the agent that looks after them. */
import { Agent, type AgentMetrics, type StateDir } from "@evm/agent";
import { createFakeDriver, type Driver, FakeRuntime } from "@evm/drivers";
import type { Clock, HostName, InstanceName, Resources } from "@evm/fleet";
import type { HostStore } from "@evm/store";
import { Disk } from "./disk.ts";
import { DriverPort } from "./driver-port.ts";
import { HostLink } from "./host-link.ts";
import { NEVER } from "./link.ts";
import type { Network } from "./network.ts";
import { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Trace } from "./trace.ts";

const MIB = 1024 * 1024;
const SLOTS = { prepare: 8, start: 4, stop: 8, discard: 4, isHeldUntilReady: false };
/** More than all simulated instances, in quarantine or not, ever need. */
const POOL_MIB = 1024 * 1024;

export type HostOptions = {
  readonly name: HostName;
  readonly capacity: Resources;
  /** What the agent is told that the machine has; more than the capacity is a lie. */
  readonly claimed: Resources;
  readonly network: Network;
  readonly server: HostStore;
  /** True time, for what runs here. */
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly metrics: AgentMetrics;
  /** What the agent is given in place of its drivers and its state directory. */
  readonly wrapDriver: (driver: Driver) => Driver;
  readonly wrapStateDir: (stateDir: StateDir) => StateDir;
  /** Called whenever something changed on the host. */
  readonly onChange: () => void;
  /** Called where the agent ends by itself. */
  readonly onDefect: (text: string) => void;
};

export class SimulatedHost {
  readonly name: HostName;
  readonly runtime: FakeRuntime;
  readonly disk: Disk;
  readonly capacity: Resources;
  /** How fast the machine's clock runs. */
  clockRate = 1;
  /** Whether its runtimes finish what a killed agent began. */
  finishesVerbs = false;
  readonly #options: HostOptions;
  #process: SimulatedProcess | undefined;
  #lives = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.name = options.name;
    this.capacity = options.capacity;
    const { clock, onChange } = options;
    this.disk = new Disk(onChange);
    const random = options.random.fork("runtime");
    this.runtime = new FakeRuntime({
      clock,
      random: random.next,
      program: () => ({ readyAfterMs: random.integer(200, 3_000) }),
    });
    this.runtime.onChange(onChange, NEVER);
  }

  /** Its name on the network. */
  get address(): string {
    return `host/${this.name}`;
  }

  /** The life of its agent; undefined while that is dead. */
  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  /** Starts an agent. */
  start(): void {
    if (this.#process !== undefined) return;
    const { network, trace, onDefect } = this.#options;
    const { clockRate } = this;
    const process = new SimulatedProcess({ timeline: network.timeline, clockRate });
    this.#process = process;
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

  /** Kills the agent and everything that runs. */
  losePower(): void {
    this.kill();
    for (const one of this.running()) this.runtime.crash(one);
  }

  /** What truly runs here. */
  running(): readonly { readonly name: InstanceName; readonly incarnation: number }[] {
    return this.runtime.instances().filter(({ state }) => state === "running" || state === "ready");
  }

  #agent(process: SimulatedProcess): Agent {
    const { network, server, trace, metrics, wrapDriver, wrapStateDir, claimed } = this.#options;
    const endpoint = { name: this.address, process };
    const { runtime } = this;
    const outlivesAgent = this.finishesVerbs;
    const driverOf = (kind: Driver["kind"]) => {
      const driver = wrapDriver(createFakeDriver({ kind, runtime }));
      return new DriverPort({ driver, process, outlivesAgent });
    };
    const totalBytes = POOL_MIB * MIB;
    const pool = { name: "main", totalBytes, freeBytes: totalBytes, artifacts: [] };
    return new Agent({
      store: new HostLink({ endpoint, network, server }),
      drivers: [driverOf("container"), driverOf("vm")],
      images: { status: async () => [pool] },
      stateDir: wrapStateDir(this.disk.openFor(process)),
      labels: {},
      machine: { cpus: claimed.vcpuMillis / 1000, memoryBytes: claimed.memoryMib * MIB },
      reserve: { vcpus: 0, memoryMib: 0, diskMib: POOL_MIB - claimed.diskMib },
      slots: { container: SLOTS, vm: SLOTS },
      clock: process.clock,
      random: this.#options.random.fork(`agent ${this.#lives}`).next,
      log: trace.log(this.address),
      metrics,
    });
  }
}
