/** What is known and what follows from it, worked out once for everybody who asks. */
import {
  type FleetName,
  type HostView,
  type InstanceName,
  type Plan,
  type Recall,
  recall,
  reconcile,
  type Snapshot,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { compareViews, hostInstanceViews, type InstanceView, instanceViews } from "./instances.ts";
import { isSameSituation } from "./situation.ts";
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
    last?: Picture,
  ) {
    this.snapshot = snapshot;
    this.control = control;
    this.#viewsOn = viewsOn;
    const plan = last === undefined ? undefined : last.#plan;
    if (last === undefined || plan === undefined) return;
    if (isSameSituation(last.snapshot, snapshot, plan)) this.#plan = plan;
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
    const viewsOn = (host: HostView) => this.#viewsOn(host);
    const picture = new Picture(snapshot, input.control, viewsOn, last?.picture);
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
    before.rivals === now.rivals &&
    before.overcommit === now.overcommit &&
    before.waveShare === now.waveShare &&
    before.maxLostShare === now.maxLostShare &&
    sighting.snapshot.hosts.every(({ name }) => sighting.signs.get(name)?.sign === now.signOf(name))
  );
}
