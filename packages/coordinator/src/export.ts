/** What operators declared, as one value that a restore can begin from. */
import type { ClusterExport, Instant, Snapshot } from "@evm/fleet";
import type { ControlState, CoordinatorStore } from "@evm/store";
import type { Coordinator } from "./coordinator.ts";

export function exportOf(
  { fleets, hosts }: Snapshot,
  { epoch, revision, images }: ControlState,
  exportedAt: Instant,
): ClusterExport {
  const catalog = [...images.values()].map(({ value }) => value);
  return {
    exportedAt,
    epoch: epoch.epoch,
    revision,
    fleets,
    images: catalog.sort((a, b) => (a.name < b.name ? -1 : 1)),
    hosts: hosts.map(({ name, admin }) => ({ name, admin, confirmedLost: undefined })),
  };
}

/** What is to be kept by itself; undefined while what is known may be old, lost or nothing yet. */
export function exportable(
  coordinator: Coordinator,
  store: CoordinatorStore,
  now: Instant,
): ClusterExport | undefined {
  const { snapshot, memory } = coordinator.picture();
  const control = store.control();
  const isSound = store.isConnected && memory.kind === "whole";
  const isDeclared = control.fleets.size + control.images.size > 0;
  return isSound && isDeclared ? exportOf(snapshot, control, now) : undefined;
}
