/** Turns what the store holds and the heartbeats say into the one value that is decided on. */
import {
  type Applied,
  type FleetRecord,
  type HostName,
  type HostView,
  type Overcommit,
  type Report,
  recall,
  type Snapshot,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type SnapshotInput = {
  /** The epoch to plan with: the one held by a leader, else the newest known. */
  readonly epoch: number;
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
  /** What each host's last heartbeat said; another map whenever that changes. */
  readonly heartbeats: ReadonlyMap<HostName, Applied>;
  readonly livenessOf: (host: HostName) => HostView["liveness"];
  readonly overcommit: Overcommit;
};

/** @param before views taken earlier: those that are still true are used again */
export function takeSnapshot(
  input: SnapshotInput,
  before: ReadonlyMap<HostName, HostView> = new Map(),
): Snapshot {
  const { control, epoch, overcommit } = input;
  const fleets: FleetRecord[] = [];
  for (const name of [...control.fleets.keys()].sort()) {
    const fleet = control.fleets.get(name);
    if (fleet !== undefined) fleets.push(fleet.value);
  }
  const hosts = hostViews(input, before);
  const snapshot = { epoch, epochBase: control.epoch.base, overcommit, fleets, hosts };
  if (recall(snapshot).kind === "whole") return snapshot;
  // Who forgot what it ordered forgot what it promised, too: it calls nobody lost.
  return { ...snapshot, hosts: hosts.map(withoutLoss) };
}

const withoutLoss = (host: HostView): HostView =>
  host.liveness === "lost" ? { ...host, liveness: "unknown" } : host;

/** Every host that goes by orders or that a record, a report or orders name, sorted by name. */
function hostViews(
  { control, reports, heartbeats, livenessOf }: SnapshotInput,
  before: ReadonlyMap<HostName, HostView>,
): readonly HostView[] {
  const names = new Set([
    ...control.hosts.keys(),
    ...reports.keys(),
    ...[...heartbeats].flatMap(([name, { generation }]) => (generation > 0 ? [name] : [])),
    ...control.orders.keys(),
  ]);
  return [...names].sort().map((name) => {
    const view: HostView = {
      name,
      admin: control.hosts.get(name)?.value.admin ?? "active",
      liveness: livenessOf(name),
      report: reports.get(name),
      heartbeat: heartbeats.get(name),
      orders: control.orders.get(name)?.value,
    };
    const known = before.get(name);
    return known !== undefined && isSameView(known, view) ? known : view;
  });
}

const isSameView = (a: HostView, b: HostView): boolean =>
  a.admin === b.admin &&
  a.liveness === b.liveness &&
  a.report === b.report &&
  a.heartbeat === b.heartbeat &&
  a.orders === b.orders;
