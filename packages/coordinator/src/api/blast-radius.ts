/** What a request would change, and whether it disturbs more than it may without a word. */
import {
  type BlastRadius,
  blastRadius,
  describeBlastRadius,
  type FleetRecord,
  type HostName,
  needsConfirmation,
  type Snapshot,
} from "@evm/fleet";
import { confirmationNeeded } from "./confirmation.ts";
import type { ApiContext } from "./context.ts";

/** What a request is about to write. */
export type Changes = {
  readonly fleets?: readonly FleetRecord[];
  /** Hosts to be drained. */
  readonly drains?: readonly HostName[];
};

/** The snapshot as it would be had the changes been written. */
export function supposed(snapshot: Snapshot, { fleets = [], drains = [] }: Changes): Snapshot {
  const records = new Map(snapshot.fleets.map((record) => [record.spec.name, record]));
  for (const record of fleets) records.set(record.spec.name, record);
  const drained = new Set(drains);
  return {
    ...snapshot,
    fleets: [...records.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1)),
    hosts: snapshot.hosts.map((host) =>
      drained.has(host.name) ? { ...host, admin: "draining" } : host,
    ),
  };
}

/**
 * Throws, and so keeps from being written, what disturbs more than the limits allow and is not
 * confirmed by its number.
 */
export function assertConfirmed(
  { coordinator, blastLimits }: ApiContext,
  changes: Changes,
  confirmed: number | undefined,
): void {
  const { snapshot } = coordinator.picture();
  const radius = blastRadius(snapshot, supposed(snapshot, changes));
  if (!needsConfirmation(radius, blastLimits) || confirmed === radius.instances) return;
  const { instances, ofInstances, hosts, ofHosts } = radius;
  throw confirmationNeeded(`this would ${describeBlastRadius(radius)}`, {
    confirm: instances,
    confirmed,
    metadata: { ofInstances, hosts, ofHosts },
  });
}

export const blastRadiusToWire = (radius: BlastRadius, { blastLimits }: ApiContext) => ({
  instances: radius.instances,
  ofInstances: radius.ofInstances,
  hosts: radius.hosts,
  ofHosts: radius.ofHosts,
  needsConfirmation: needsConfirmation(radius, blastLimits),
});
