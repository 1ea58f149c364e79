/** One host with fake drivers, a store in memory and a clock that moves only when told. */
import { createFakeDriver, type FakeProgram, FakeRuntime, type InstanceRef } from "@evm/drivers";
import {
  type AgentId,
  type Digest,
  type EventRecord,
  type FleetName,
  type HostName,
  type ImageName,
  type InstanceName,
  instanceName,
  type Observed,
  type OrderedFleet,
  type OrderedInstance,
  type OrderedTemplate,
  type Orders,
  type PoolStatus,
  type Report,
  type TemplateKind,
} from "@evm/fleet";
import { type CoordinatorStore, createMemoryStore, type HostStore } from "@evm/store";
import { createLog, ManualClock } from "@evm/telemetry";
import { Agent } from "./agent.ts";
import { createAgentMetrics } from "./metrics.ts";
import type { StateDir } from "./state-dir.ts";

export const HOST = "h1" as HostName;
export const AGENT = "agent-1" as AgentId;

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as Digest;
const RESOURCES = { vcpuMillis: 1000, memoryMib: 256, diskMib: 1024 };

export const TEMPLATES = {
  container: {
    digest: digest("c"),
    image: undefined,
    template: {
      kind: "container",
      resources: RESOURCES,
      source: { kind: "image", reference: "busybox:1" },
      command: [],
      environment: {},
      ports: [],
      healthCheck: undefined,
    },
  },
  vm: {
    digest: digest("a"),
    image: {
      name: "debian12" as ImageName,
      osFamily: "linux",
      disk: { url: "file:///images/debian12.qcow2", digest: digest("d"), sizeBytes: 1024 },
      diskFormat: "qcow2",
      boot: { kind: "disk" },
    },
    template: {
      kind: "vm",
      resources: RESOURCES,
      image: "debian12" as ImageName,
      userData: undefined,
      readiness: { text: "login:", timeoutMs: 60_000 },
    },
  },
} satisfies Record<TemplateKind, OrderedTemplate>;

export const FLEET: OrderedFleet = {
  name: "web" as FleetName,
  restart: {
    mode: "always",
    maxRestarts: 3,
    windowMs: 600_000,
    backoffMs: 1_000,
    maxBackoffMs: 60_000,
  },
  onIsolation: "keep",
};

export type OrderedWish = Partial<
  Pick<OrderedInstance, "index" | "incarnation" | "desired" | "fleet">
> & { readonly kind?: TemplateKind };

export const web = (index: number, incarnation = 1): InstanceRef => ({
  name: nameOf(index),
  incarnation,
});
const nameOf = (index: number): InstanceName => instanceName(FLEET.name, index);

export class MemoryStateDir implements StateDir {
  readonly files = new Map<string, Uint8Array>();
  isFull = false;
  /** A file of this name is never written, and no error tells so. */
  hangsOn: string | undefined;

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name);
  }

  async write(name: string, content: Uint8Array): Promise<void> {
    if (this.isFull) throw new Error("ENOSPC: no space left on device");
    if (name === this.hangsOn) await Promise.withResolvers<never>().promise;
    this.files.set(name, content);
  }

  async setAside(name: string): Promise<string> {
    const content = this.files.get(name);
    if (content !== undefined) this.files.set(`${name}.unreadable`, content);
    this.files.delete(name);
    return `${name}.unreadable`;
  }
}

export class AgentWorld implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly runtime: FakeRuntime;
  readonly stateDir = new MemoryStateDir();
  readonly store: HostStore;
  readonly coordinator: CoordinatorStore;
  readonly log: string[] = [];
  id = AGENT;
  /** What the leader grants; undefined: it does not answer. */
  leaseMs: number | undefined = 6_000;
  /** How many heartbeats were heard. */
  heartbeats = 0;
  kinds: readonly TemplateKind[] = ["container", "vm"];
  pool: PoolStatus = {
    name: "main",
    totalBytes: 100 * 2 ** 30,
    freeBytes: 60 * 2 ** 30,
    artifacts: [],
  };
  slots = { prepare: 8, start: 4, stop: 8, discard: 4, isHeldUntilReady: false };
  metrics = createAgentMetrics();
  readonly #memory = createMemoryStore();
  readonly #end = new AbortController();
  #epoch = 0;
  #generation = 0;
  #running: { readonly end: AbortController; readonly done: Promise<void> } | undefined;

  /** @param program what runs in every instance */
  constructor(program: Partial<FakeProgram> = {}, random: () => number = () => 0.5) {
    const { clock } = this;
    this.runtime = new FakeRuntime({ clock, random, program: () => program });
    this.store = this.#memory.host(HOST);
    this.coordinator = this.#memory.coordinator("c1");
    this.coordinator.onHeartbeat(() => {
      this.heartbeats += 1;
      if (this.leaseMs === undefined) return undefined;
      return { epoch: this.#epoch, leaseMs: this.leaseMs };
    }, this.#end.signal);
  }

  /** Takes the lead with a newer epoch. */
  async lead(): Promise<void> {
    const { epoch } = this.coordinator.control().epoch;
    const outcome = await this.coordinator.claimEpoch("c1", epoch, this.#end.signal);
    if (outcome.kind !== "written") throw new Error("somebody else leads");
    this.#epoch = outcome.revision;
    await this.coordinator.caughtUp(outcome.revision, this.#end.signal);
  }

  /** Orders these instances of the fleet `web`, and all of the fleet with these policies. */
  async order(
    wishes: readonly OrderedWish[],
    fleet: Partial<OrderedFleet> = {},
    generation = this.#generation + 1,
    agent = AGENT,
  ): Promise<void> {
    if (this.#epoch === 0) await this.lead();
    this.#generation = generation;
    const value: Orders = {
      host: HOST,
      agent,
      epoch: this.#epoch,
      generation,
      templates: [TEMPLATES.container, TEMPLATES.vm],
      fleets: [{ ...FLEET, ...fleet }],
      instances: wishes.map(({ index = 0, incarnation = 1, desired = "run", kind }) => ({
        name: nameOf(index),
        fleet: FLEET.name,
        index,
        incarnation,
        template: TEMPLATES[kind ?? "container"].digest,
        desired,
      })),
    };
    const current = this.coordinator.control().orders.get(HOST);
    const orders = [{ value, expectedRevision: current?.revision ?? 0 }];
    const request = { epoch: this.#epoch, orders, fleets: [], forgottenFleets: [] };
    const outcome = await this.coordinator.commit(request, this.#end.signal);
    if (outcome.kind !== "committed") throw new Error(outcome.reason);
    await this.coordinator.caughtUp(outcome.revision, this.#end.signal);
  }

  /** Starts an agent, as its process would be started. */
  start(): void {
    const end = new AbortController();
    const agent = new Agent({
      id: this.id,
      store: this.store,
      drivers: this.kinds.map((kind) => createFakeDriver({ kind, runtime: this.runtime })),
      images: { status: async () => [this.pool] },
      stateDir: this.stateDir,
      labels: { rack: "r1" },
      machine: { cpus: 8, memoryBytes: 16 * 2 ** 30 },
      reserve: { vcpus: 1, memoryMib: 1024, diskMib: 0 },
      slots: { container: this.slots, vm: this.slots },
      clock: this.clock,
      random: () => 0,
      log: createLog({
        program: "agent",
        level: "info",
        format: "text",
        write: (line) => this.log.push(line),
        now: () => this.clock.now(),
      }),
      metrics: this.metrics,
    });
    this.#running = { end, done: agent.run(end.signal) };
  }

  /** Ends the agent as SIGTERM does. */
  async stop(): Promise<void> {
    this.#running?.end.abort();
    await this.#running?.done;
    this.#running = undefined;
    this.metrics = createAgentMetrics();
  }

  cutOff(): void {
    this.#memory.disconnect(`host/${HOST}`);
  }

  heal(): void {
    this.#memory.reconnect(`host/${HOST}`);
  }

  /** The store loses all that it has. */
  forget(): void {
    this.#memory.loseControl(undefined);
  }

  /** The states of everything on the host, as they truly are. */
  states(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.runtime.instances().map((one) => [`${one.name}.${one.incarnation}`, one.state]),
    );
  }

  /** What the coordinator last heard of the host. */
  report(): Report | undefined {
    return this.coordinator.reports().get(HOST);
  }

  /** What the coordinator last heard of an instance. */
  reported(ref: InstanceRef): Observed | undefined {
    const instances = this.report()?.instances ?? [];
    return instances.find((one) => one.name === ref.name && one.incarnation === ref.incarnation);
  }

  /** What was told to people for this reason, oldest first. */
  async events(reason: string): Promise<readonly EventRecord[]> {
    const query = { fleet: undefined, instance: undefined, host: undefined, afterSequence: 0 };
    const stored = await this.coordinator.listEvents(
      { ...query, beforeSequence: undefined, limit: 10_000 },
      this.#end.signal,
    );
    return stored.map(({ event }) => event).filter((event) => event.reason === reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#end.abort();
  }
}
