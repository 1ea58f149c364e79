/** Turns what the store holds and the heartbeats say into the one value that is decided on. */
import {
  type Applied,
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
} from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type SnapshotInput = {
  /** The epoch to plan with: the one held by a leader, else the newest known. */
  readonly epoch: number;
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
  /** What each host's last heartbeat said; another map whenever that changes. */
  readonly heartbeats: ReadonlyMap<HostName, Applied>;
  readonly signOf: (host: HostName) => HostSign;
  readonly overcommit: Overcommit;
  readonly waveShare: number;
  /** Where more hosts than this share are silent at once, none of them is called lost. */
  readonly maxLostShare: number;
};

/** @param before views taken earlier: those that are still true are used again */
export function takeSnapshot(
  input: SnapshotInput,
  before: ReadonlyMap<HostName, HostView> = new Map(),
): Snapshot {
  const { control, epoch, overcommit, waveShare, maxLostShare } = input;
  const fleets: FleetRecord[] = [];
  for (const name of [...control.fleets.keys()].sort()) {
    const fleet = control.fleets.get(name);
    if (fleet !== undefined) fleets.push(fleet.value);
  }
  const signs = hostSigns(input);
  const held = brake(fleets, signs, maxLostShare);
  const hosts = signs.map(({ view }) => {
    const now =
      held?.held.has(view.name) === true ? { ...view, liveness: "silent" as const } : view;
    const known = before.get(now.name);
    return known !== undefined && isSameView(known, now) ? known : now;
  });
  const epochBase = control.epoch.base;
  const settings = { epoch, epochBase, overcommit, waveShare };
  const snapshot = { ...settings, brake: held, fleets, hosts };
  if (recall(snapshot).kind === "whole") return snapshot;
  // Who forgot what it ordered forgot what it promised, too: it calls nobody lost.
  return { ...snapshot, hosts: hosts.map(withoutLoss) };
}

const withoutLoss = (host: HostView): HostView =>
  host.liveness === "lost" ? { ...host, liveness: "unknown" } : host;

const LIVENESS = {
  up: "up",
  quiet: "up",
  unknown: "unknown",
  overdue: "unknown",
  lost: "lost",
} as const satisfies Record<HostSign, HostView["liveness"]>;

/** Every host that goes by orders or that a record, a report or orders name, sorted by name. */
function hostSigns(input: SnapshotInput): readonly HostSigns[] {
  const { control, reports, heartbeats, signOf } = input;
  const names = new Set([...control.hosts.keys(), ...reports.keys(), ...control.orders.keys()]);
  for (const [name, { generation }] of heartbeats) if (generation > 0) names.add(name);
  return [...names].sort().map((name) => {
    const record = control.hosts.get(name)?.value;
    const report = reports.get(name);
    const orders = control.orders.get(name)?.value;
    const sign = signOf(name);
    const admin = record?.admin ?? "active";
    const heartbeat = heartbeats.get(name);
    const view: HostView = { name, admin, liveness: LIVENESS[sign], report, heartbeat, orders };
    const isConfirmedLost =
      record?.confirmedLost !== undefined && record.confirmedLost === (report?.reportedAt ?? 0);
    return { view, sign, isConfirmedLost };
  });
}

const isSameView = (a: HostView, b: HostView): boolean =>
  a.admin === b.admin &&
  a.liveness === b.liveness &&
  a.report === b.report &&
  a.heartbeat === b.heartbeat &&
  a.orders === b.orders;
