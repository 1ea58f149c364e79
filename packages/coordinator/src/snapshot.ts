/** Turns what the store holds and the heartbeats say into the one value that is decided on. */
import type { FleetRecord, HostName, HostView, Overcommit, Report, Snapshot } from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type SnapshotInput = {
  /** The epoch to plan with: the one held by a leader, else the newest known. */
  readonly epoch: number;
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
  readonly livenessOf: (host: HostName) => HostView["liveness"];
  readonly overcommit: Overcommit;
};

/** Every host that a record, a report or orders name. */
export function hostViews(input: SnapshotInput): readonly HostView[] {
  const { control, reports } = input;
  const names = new Set([...control.hosts.keys(), ...reports.keys(), ...control.orders.keys()]);
  return [...names].sort().map((name) => ({
    name,
    admin: control.hosts.get(name)?.value.admin ?? "active",
    liveness: input.livenessOf(name),
    report: reports.get(name),
    orders: control.orders.get(name)?.value,
  }));
}

export function takeSnapshot(input: SnapshotInput): Snapshot {
  const fleets: FleetRecord[] = [];
  for (const name of [...input.control.fleets.keys()].sort()) {
    const fleet = input.control.fleets.get(name);
    if (fleet !== undefined) fleets.push(fleet.value);
  }
  return {
    epoch: input.epoch,
    overcommit: input.overcommit,
    fleets,
    hosts: hostViews(input),
  };
}
