/** What is known and what follows from it, worked out once for everybody who asks. */
import {
  appliedBy,
  type FleetName,
  type HostView,
  type InstanceName,
  isSame,
  type Observed,
  type Plan,
  type Recall,
  type Report,
  recall,
  reconcile,
  runtimeName,
  type Snapshot,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { compareViews, hostInstanceViews, type InstanceView, instanceViews } from "./instances.ts";
import { type Sighting, type SnapshotInput, takeSnapshot } from "./snapshot.ts";

/** A snapshot with all that it implies; each part is made when it is first asked for. */
export class Picture {
  readonly snapshot: Snapshot;
  /** What the snapshot was taken of. */
  readonly control: ControlState;
  readonly #viewsOn: (host: HostView) => readonly InstanceView[];
  #memory: Recall | undefined;
  #plan: Plan | undefined;
  #unsorted: readonly InstanceView[] | undefined;
  #instances: readonly InstanceView[] | undefined;
  #byFleet: ReadonlyMap<FleetName, readonly InstanceView[]> | undefined;
  #newest: ReadonlyMap<string, InstanceView> | undefined;

  constructor(
    snapshot: Snapshot,
    control: ControlState,
    viewsOn: (host: HostView) => readonly InstanceView[] = hostInstanceViews,
    /** Taken of what calls for the same plan. */
    alike?: Picture,
  ) {
    this.snapshot = snapshot;
    if (alike !== undefined) this.#plan = alike.#plan;
    this.control = control;
    this.#viewsOn = viewsOn;
  }

  /** Whether the control state remembers what hosts were ordered. */
  get memory(): Recall {
    this.#memory ??= recall(this.snapshot);
    return this.#memory;
  }

  /** What a leader would do now. */
  get plan(): Plan {
    this.#plan ??= reconcile(this.snapshot);
    return this.#plan;
  }

  /** Every incarnation, in whatever order: for those who only count. */
  get unsorted(): readonly InstanceView[] {
    this.#unsorted ??= instanceViews(this.snapshot, this.#viewsOn);
    return this.#unsorted;
  }

  /** Sorted by name, then incarnation, the newest first. */
  get instances(): readonly InstanceView[] {
    this.#instances ??= this.#explained().sort(compareViews);
    return this.#instances;
  }

  /** What has no host says why: the planner's words, and the rule that turns most hosts away. */
  #explained(): InstanceView[] {
    const waiting = new Map(this.plan.waiting.map((item) => [item.instance, item]));
    return this.unsorted.map((view) => {
      const wait = view.phase === "pending" ? waiting.get(view.name) : undefined;
      if (wait === undefined) return view;
      const [refusal] = wait.refusals.toSorted((a, b) => b.hosts - a.hosts);
      const reason = refusal === undefined ? wait.reason : `${wait.reason}: ${refusal.text}`;
      return { ...view, reason };
    });
  }

  instancesOf(fleet: FleetName): readonly InstanceView[] {
    this.#byFleet ??= Map.groupBy(this.instances, (instance) => instance.fleet);
    return this.#byFleet.get(fleet) ?? [];
  }

  /** The newest incarnation of an instance. */
  newest(name: string): InstanceView | undefined {
    this.#newest ??= new Map<InstanceName, InstanceView>(
      this.instances.toReversed().map((instance) => [instance.name, instance]),
    );
    return this.#newest.get(name);
  }
}

/** Takes pictures; what has not changed since the last one is not worked out again. */
export class Camera {
  readonly #views = new WeakMap<HostView, readonly InstanceView[]>();
  #last: Taken | undefined;

  take(input: SnapshotInput): Picture {
    const last = this.#last;
    if (last !== undefined && isUnchanged(last, input)) return last.picture;
    const sighting = takeSnapshot(input, last?.sighting);
    const { snapshot } = sighting;
    const isAlike = last !== undefined && isSameSituation(last.sighting.snapshot, snapshot);
    const alike = isAlike ? last.picture : undefined;
    const picture = new Picture(snapshot, input.control, (host) => this.#viewsOn(host), alike);
    this.#last = { input, sighting, picture };
    return picture;
  }

  #viewsOn(host: HostView): readonly InstanceView[] {
    const views = this.#views.get(host) ?? hostInstanceViews(host);
    this.#views.set(host, views);
    return views;
  }
}

type Taken = {
  readonly input: SnapshotInput;
  readonly sighting: Sighting;
  readonly picture: Picture;
};

/** The store hands out the same tables until they change. */
function isUnchanged({ input: before, sighting }: Taken, now: SnapshotInput): boolean {
  return (
    before.epoch === now.epoch &&
    before.control.fleets === now.control.fleets &&
    before.control.hosts === now.control.hosts &&
    before.control.orders === now.control.orders &&
    // Nothing is planned on a view from before the epoch (P4): the one that has it is another.
    before.control.epoch.epoch === now.control.epoch.epoch &&
    before.control.epoch.base === now.control.epoch.base &&
    before.reports === now.reports &&
    before.heartbeats === now.heartbeats &&
    before.overcommit === now.overcommit &&
    before.waveShare === now.waveShare &&
    before.maxLostShare === now.maxLostShare &&
    sighting.snapshot.hosts.every(({ name }) => sighting.signs.get(name)?.sign === now.signOf(name))
  );
}

/**
 * True where two snapshots differ at most in when reports were made, in whether a report or a
 * heartbeat says which orders are applied, and in what is wrong with instances that are ready all
 * the same. None of it decides anything: hosts repeat what they told, and a runtime that answers
 * only now and then is told of each time; that must not cost a plan.
 */
function isSameSituation(before: Snapshot, now: Snapshot): boolean {
  return (
    before.epoch === now.epoch &&
    before.epochBase === now.epochBase &&
    before.overcommit === now.overcommit &&
    before.waveShare === now.waveShare &&
    isSame(before.brake, now.brake) &&
    before.fleets.length === now.fleets.length &&
    before.fleets.every((fleet, at) => fleet === now.fleets[at]) &&
    before.hosts.length === now.hosts.length &&
    before.hosts.every((host, at) => isSameHost(host, now.hosts[at]))
  );
}

function isSameHost(before: HostView, now: HostView | undefined): boolean {
  if (before === now) return true;
  const report = decisive(before);
  const later = now && decisive(now);
  if (now === undefined || report === undefined || later === undefined) return false;
  const repeated = { ...later, reportedAt: report.reportedAt };
  return isSame(
    { ...before, report, heartbeat: appliedBy(before) },
    { ...now, report: repeated, heartbeat: appliedBy(now) },
  );
}

/** A report without what is wrong with instances that are ready, and to run: no plan tells that. */
function decisive({ report, orders }: HostView): Report | undefined {
  if (report?.instances.some(isBlemished) !== true) return report;
  const toRun = new Set<string>();
  for (const { name, incarnation, desired } of orders?.instances ?? []) {
    if (desired === "run") toRun.add(runtimeName(name, incarnation));
  }
  const instances = report.instances.map((one) => {
    const isToRun = toRun.has(runtimeName(one.name, one.incarnation));
    return isToRun && isBlemished(one) ? { ...one, reason: undefined } : one;
  });
  return { ...report, instances };
}

const isBlemished = ({ phase, reason }: Observed): boolean =>
  phase === "ready" && reason !== undefined;
