/** A whole cluster for pure simulations: fleets, hosts, and a store of orders. */
import {
  check,
  type FleetRecord,
  type HostName,
  type HostView,
  instanceName,
  isSame,
  type Observed,
  type Orders,
  type Overcommit,
  type Plan,
  reconcile,
  runtimeName,
  type Snapshot,
} from "../src/index.ts";
import { digest } from "./build.ts";
import { SimulatedHost } from "./simulated-host.ts";

type State = { -readonly [Key in "admin" | "liveness"]: HostView[Key] };

/** What becomes of an instance that is to run, but for those that have failed. */
const FORTUNES = ["starting", "ready", "stopped", "running", "stopping"] as const;

/** Longer than any backoff, so that every round may restart what ended. */
const ROUND_MS = 10_000;

export class SimulatedCluster {
  readonly hosts: readonly SimulatedHost[];
  readonly states = new Map<HostName, State>();
  readonly fleets = new Map<string, FleetRecord>();
  readonly orders = new Map<HostName, Orders>();
  readonly discards: string[] = [];
  /** Templates of which no instance ever comes up. */
  readonly broken = new Set<FleetRecord["template"]>();
  /** Whatever the oracles found. */
  readonly faults: string[] = [];
  readonly #overcommit: Overcommit;
  /** Where an incarnation was started that still exists. */
  readonly #startedOn = new Map<string, HostName>();
  readonly #stale: Orders[] = [];
  #reports = new Map<HostName, HostView["report"]>();
  #now = 0;
  #passes = 0;
  #templates = 0;

  constructor(fleets: readonly FleetRecord[], views: readonly HostView[], overcommit: Overcommit) {
    this.#overcommit = overcommit;
    for (const fleet of fleets) this.fleets.set(fleet.spec.name, fleet);
    const witness = {
      started: (host: HostName, key: string) => {
        const other = this.#startedOn.get(key) ?? host;
        if (other !== host) this.faults.push(`I1: ${key} was started on ${other} and ${host}`);
        this.#startedOn.set(key, host);
      },
      discarded: (host: HostName, key: string) => {
        this.discards.push(`${key} on ${host}`);
        if (this.#startedOn.get(key) === host) this.#startedOn.delete(key);
      },
      isBroken: (template: FleetRecord["template"]) => this.broken.has(template),
    };
    this.hosts = views.map((view) => new SimulatedHost(view, witness));
    for (const { name } of views) this.states.set(name, { admin: "active", liveness: "up" });
    for (const host of this.hosts) this.#reports.set(host.view.name, host.report());
  }

  snapshot(): Snapshot {
    return {
      epoch: 1,
      epochBase: 0,
      overcommit: this.#overcommit,
      waveShare: 0.1,
      brake: undefined,
      fleets: [...this.fleets.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1)),
      hosts: this.hosts.map(({ view: { name } }) => ({
        name,
        ...(this.states.get(name) ?? { admin: "active", liveness: "up" }),
        report: this.#reports.get(name),
        heartbeat: undefined,
        orders: this.orders.get(name),
        rival: undefined,
        successor: undefined,
      })),
    };
  }

  /** One pass of the leader; commits the first `limit` documents only. */
  plan(limit = Number.POSITIVE_INFINITY): Plan {
    const snapshot = this.snapshot();
    const plan = reconcile(snapshot);
    for (const { invariant, text } of check(snapshot, plan)) {
      this.faults.push(`check: ${invariant}: ${text}`);
    }
    if (!isSame(plan, reconcile(this.#faringOtherwise(snapshot, plan)))) {
      this.faults.push("the plan goes by how instances fare that it does not watch");
    }
    for (const orders of plan.orders.slice(0, limit)) {
      const before = this.orders.get(orders.host);
      if (before !== undefined) this.#stale.push(before);
      this.orders.set(orders.host, orders);
    }
    for (const record of plan.fleets) this.fleets.set(record.spec.name, record);
    for (const fleet of plan.forgottenFleets) this.fleets.delete(fleet);
    return plan;
  }

  /** The same, had it gone another way with what is ordered to run and not watched by the plan. */
  #faringOtherwise(snapshot: Snapshot, { watched }: Plan): Snapshot {
    this.#passes += 1;
    const phase = FORTUNES[this.#passes % FORTUNES.length] ?? "running";
    const hosts = snapshot.hosts.map((host): HostView => {
      const { report, orders } = host;
      const toRun = orders?.instances.filter(({ desired }) => desired === "run") ?? [];
      const names = new Set(toRun.map(({ name, incarnation }) => runtimeName(name, incarnation)));
      const fare = (one: Observed): Observed => {
        const isToRun = names.has(runtimeName(one.name, one.incarnation));
        if (!isToRun || watched.has(one.fleet) || one.phase === "failed") return one;
        return { ...one, phase, restarts: this.#passes, since: this.#now, reason: "it had to" };
      };
      return report === undefined
        ? host
        : { ...host, report: { ...report, instances: report.instances.map(fare) } };
    });
    return { ...snapshot, hosts };
  }

  /** Every host that is not lost hears its orders, takes a step, and reports. */
  act(isReporting = true): void {
    this.#now += ROUND_MS;
    for (const host of this.hosts) {
      const { name } = host.view;
      if (this.states.get(name)?.liveness !== "up") continue;
      const orders = this.orders.get(name);
      if (orders !== undefined && !host.receive(orders)) this.faults.push(`I5: ${name} refused`);
      host.act(this.#now);
      if (isReporting) this.#reports.set(name, host.report());
      this.#checkRoom(host);
    }
  }

  round(): Plan {
    const plan = this.plan();
    this.act();
    return plan;
  }

  /** Rounds until nothing changes; the last plan. */
  settle(limit = 200): Plan {
    this.act();
    for (let round = 0; round < limit; round += 1) {
      const before = JSON.stringify(this.hosts.map((host) => host.report()));
      const plan = this.round();
      const { orders, fleets, forgottenFleets } = plan;
      const isQuiet = orders.length + fleets.length + forgottenFleets.length === 0;
      if (isQuiet && before === JSON.stringify(this.hosts.map((host) => host.report())))
        return plan;
    }
    this.faults.push(`I7: not settled after ${limit} rounds`);
    return this.plan();
  }

  change(name: string, change: (fleet: FleetRecord) => FleetRecord): void {
    const fleet = this.fleets.get(name);
    if (fleet !== undefined) this.fleets.set(name, change(fleet));
  }

  newTemplate(): FleetRecord["template"] {
    this.#templates += 1;
    return digest(`b${this.#templates}`);
  }

  setHost(name: HostName, state: Partial<State>): void {
    Object.assign(this.states.get(name) ?? {}, state);
  }

  host(name: HostName): SimulatedHost | undefined {
    return this.hosts.find((host) => host.view.name === name);
  }

  crash(host: SimulatedHost, at: number): void {
    host.crash(at, this.#now);
  }

  losePower(host: SimulatedHost): void {
    host.losePower(this.#now);
    this.setHost(host.view.name, { liveness: "lost" });
  }

  /** Old orders reach hosts again; none may take them (I5). */
  replayStaleOrders(): void {
    for (const stale of this.#stale) {
      const host = this.host(stale.host);
      if (host === undefined || host.generation <= stale.generation) continue;
      if (host.receive(stale)) this.faults.push(`I5: ${stale.host} took ${stale.generation} again`);
    }
  }

  /** The store forgets what it ordered of a host. What is not even reported, nobody can know. */
  loseOrders(at: number): void {
    const host = this.hosts[at];
    if (host === undefined || this.states.get(host.view.name)?.liveness !== "up") return;
    // It may have removed an incarnation, and not have begun the next one of the same orders.
    if (!host.hasBegunAll) return;
    this.#reports.set(host.view.name, host.report());
    this.orders.delete(host.view.name);
  }

  /** The store forgets what a host told it. */
  loseReport(name: HostName): void {
    this.#reports.delete(name);
  }

  /** What every host goes by becomes what is stored. */
  restoreOrders(): void {
    for (const { view, orders } of this.hosts) {
      if (orders !== undefined) this.orders.set(view.name, orders);
    }
  }

  /** Names of all instances that run, once for each place where they do. */
  running(): readonly string[] {
    return this.hosts.flatMap((host) =>
      host.observe().flatMap((one) => (one.phase === "ready" ? [one.name] : [])),
    );
  }

  /** Names of wanted instances that neither run nor have failed by their restart policy. */
  missing(): readonly string[] {
    const failed = this.hosts.flatMap((host) =>
      host.observe().flatMap((one) => (one.phase === "failed" ? [one.name] : [])),
    );
    const settled = new Set([...this.running(), ...failed]);
    return [...this.fleets.values()].flatMap(({ spec, wishes, state }) => {
      if (state !== "active") return [];
      const names = Array.from({ length: spec.replicas }, (_, index) =>
        instanceName(spec.name, index),
      );
      const resting = new Set(wishes.filter((one) => one.isStopped).map((one) => one.index));
      return names.filter((name, index) => !resting.has(index) && !settled.has(name));
    });
  }

  /** Names of instances that run on draining hosts. */
  undrained(): readonly string[] {
    return this.hosts.flatMap((host) => {
      if (this.states.get(host.view.name)?.admin !== "draining") return [];
      return host.observe().flatMap((one) => (one.phase === "ready" ? [one.name] : []));
    });
  }

  /** I3 by what really runs and really lies on disks, not by what was promised. */
  #checkRoom(host: SimulatedHost): void {
    const capacity = host.view.report?.capacity ?? { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
    const orders = this.orders.get(host.view.name);
    const used = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
    for (const { instance, state } of host.runtimes.values()) {
      const template = orders?.templates.find((one) => one.digest === instance.template);
      const needs = template?.template.resources;
      if (needs === undefined) {
        const key = runtimeName(instance.name, instance.incarnation);
        this.faults.push(`I4: ${key} exists on ${host.view.name}, and no orders know it`);
        continue;
      }
      used.diskMib += needs.diskMib;
      if (state !== "running") continue;
      used.vcpuMillis += needs.vcpuMillis;
      used.memoryMib += needs.memoryMib;
    }
    const { vcpu, memory, disk } = this.#overcommit;
    if (
      used.vcpuMillis > capacity.vcpuMillis * vcpu ||
      used.memoryMib > capacity.memoryMib * memory ||
      used.diskMib > capacity.diskMib * disk
    ) {
      this.faults.push(`I3: ${host.view.name} uses ${JSON.stringify(used)}`);
    }
  }
}
