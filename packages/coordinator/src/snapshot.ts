/** Turns what the store holds and the heartbeats say into the one value that is decided on. */
import {
  type AgentId,
  type AppliedBy,
  type Brake,
  brake,
  type FleetRecord,
  type HostName,
  type HostSign,
  type HostSigns,
  type HostView,
  type Overcommit,
  type Report,
  recall,
  type Snapshot,
  speaksFor,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type SnapshotInput = {
  /** The epoch to plan with: the one held by a leader, else the newest known. */
  readonly epoch: number;
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
  /** What each host's last heartbeat said; another map whenever that changes. */
  readonly heartbeats: ReadonlyMap<HostName, AppliedBy>;
  /** Who else bears a host's name; another map whenever that changes. */
  readonly rivals: ReadonlyMap<HostName, AgentId>;
  readonly signOf: (host: HostName) => HostSign;
  readonly overcommit: Overcommit;
  readonly waveShare: number;
  /** Where more hosts than this share are silent at once, none of them is called lost. */
  readonly maxLostShare: number;
};

/** A snapshot, and the signs of its hosts, sorted by name. */
export type Sighting = {
  readonly snapshot: Snapshot;
  readonly signs: ReadonlyMap<HostName, HostSigns>;
};

/** @param before taken earlier: what is still true of it is used again */
export function takeSnapshot(input: SnapshotInput, before?: Sighting): Sighting {
  const { control, epoch, overcommit, waveShare, maxLostShare } = input;
  const fleets: FleetRecord[] = [];
  for (const name of [...control.fleets.keys()].sort()) {
    const fleet = control.fleets.get(name);
    if (fleet !== undefined) fleets.push(fleet.value);
  }
  const signs = hostSigns(input, before?.signs ?? new Map());
  const all = [...signs.values()];
  const held = brake(fleets, all, maxLostShare);
  const views = all.map(({ view }) => view);
  const hosts = held === undefined ? views : silenced(views, held, before?.snapshot.hosts ?? []);
  const epochBase = control.epoch.base;
  const settings = { epoch, epochBase, overcommit, waveShare };
  const snapshot = { ...settings, brake: held, fleets, hosts };
  if (recall(snapshot).kind === "whole") return { snapshot, signs };
  // Who forgot what it ordered forgot what it promised, too: it calls nobody lost.
  return { snapshot: { ...snapshot, hosts: hosts.map(withoutLoss) }, signs };
}

/** What the brake holds is silent. */
function silenced(
  views: readonly HostView[],
  { held }: Brake,
  before: readonly HostView[],
): readonly HostView[] {
  const known = new Map(before.map((view) => [view.name, view]));
  return views.map((view) => {
    if (!held.has(view.name)) return view;
    const now = { ...view, liveness: "silent", successor: undefined } as const;
    const last = known.get(view.name);
    return last !== undefined && isSameView(last, now) ? last : now;
  });
}

const withoutLoss = (host: HostView): HostView =>
  host.liveness === "lost" || host.successor !== undefined
    ? { ...host, liveness: "unknown", successor: undefined }
    : host;

const LIVENESS = {
  up: "up",
  quiet: "up",
  unknown: "unknown",
  overdue: "unknown",
  lost: "lost",
} as const satisfies Record<HostSign, HostView["liveness"]>;

/** Of every host that goes by orders or that a record, a report or orders name. */
function hostSigns(
  input: SnapshotInput,
  before: Sighting["signs"],
): ReadonlyMap<HostName, HostSigns> {
  const { control, reports, heartbeats, rivals, signOf } = input;
  const signs = new Map<HostName, HostSigns>();
  for (const name of hostNames(input, before)) {
    const record = control.hosts.get(name)?.value;
    const orders = control.orders.get(name)?.value;
    const sign = signOf(name);
    const admin = record?.admin ?? "active";
    const liveness = LIVENESS[sign];
    const heartbeat = heartbeats.get(name);
    const stored = reports.get(name);
    // A rival's may have come in before it was told, or late.
    const isOwn = stored !== undefined && speaksFor(stored, orders, heartbeat?.agent);
    const report = isOwn ? stored : undefined;
    const rival = rivals.get(name);
    const successor = liveness === "lost" ? rival : undefined;
    const seen = { name, admin, report, heartbeat, orders, rival, successor };
    const now: HostView = { ...seen, liveness: successor === undefined ? liveness : "unknown" };
    const last = before.get(name);
    const view = last !== undefined && isSameView(last.view, now) ? last.view : now;
    const isConfirmedLost =
      record?.confirmedLost !== undefined && record.confirmedLost === (report?.reportedAt ?? 0);
    signs.set(name, { view, sign, isConfirmedLost });
  }
  return signs;
}

/** Sorted. @param before sorted: to sort the same thousands anew takes longer than to compare */
function hostNames(
  { control, reports, heartbeats }: SnapshotInput,
  before: Sighting["signs"],
): Iterable<HostName> {
  const names = new Set([...control.hosts.keys(), ...reports.keys(), ...control.orders.keys()]);
  for (const [name, { generation }] of heartbeats) if (generation > 0) names.add(name);
  const areSame = names.size === before.size && [...names].every((name) => before.has(name));
  return areSame ? before.keys() : [...names].sort();
}

const isSameView = (a: HostView, b: HostView): boolean =>
  a.admin === b.admin &&
  a.liveness === b.liveness &&
  a.report === b.report &&
  a.heartbeat === b.heartbeat &&
  a.orders === b.orders &&
  a.rival === b.rival &&
  a.successor === b.successor;
