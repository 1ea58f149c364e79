/** The cluster as a whole. */
import { clusterExportCodec, restoredCodec, waitingCodec } from "@evm/codec";
import { type HostView, isInMaintenance, type Snapshot } from "@evm/fleet";
import type { ClusterService, Handlers } from "@evm/protocol";
import { exportOf } from "../export.ts";
import { restoreCluster } from "../restore.ts";
import type { ApiContext } from "./context.ts";
import { countPhases } from "./fleet-view.ts";

/** Enough to see what is wrong; the rest is counted by phase. */
const MAX_WAITING_SHOWN = 100;

export function clusterHandlers(context: ApiContext): Handlers<typeof ClusterService> {
  return {
    async getClusterStatus() {
      const { id, version, store, coordinator } = context;
      const { snapshot, plan, unsorted } = coordinator.picture();
      const { epoch, revision } = store.control();
      const count = (isCounted: (host: HostView) => boolean) =>
        snapshot.hosts.filter(isCounted).length;
      return {
        coordinator: id,
        version,
        leader: epoch.leader,
        epoch: BigInt(epoch.epoch),
        revision: BigInt(revision),
        isStoreConnected: store.isConnected,
        hostsUp: count((host) => host.liveness === "up"),
        hostsLost: count((host) => host.liveness === "lost" && !isInMaintenance(host)),
        hostsDraining: count((host) => host.admin === "draining"),
        hostsCordoned: count((host) => host.admin === "cordoned"),
        hostsInMaintenance: count(isInMaintenance),
        ...brakeOf(snapshot),
        fleets: snapshot.fleets.length,
        instances: countPhases(unsorted),
        waiting: plan.waiting.slice(0, MAX_WAITING_SHOWN).map(waitingCodec.toWire),
        notes: plan.notes.map((note) => note.text),
        doubts: [...coordinator.doubts()],
      };
    },
    async exportCluster() {
      const { store, coordinator, clock } = context;
      const { snapshot } = coordinator.picture();
      const value = exportOf(snapshot, store.control(), clock.now());
      return { export: clusterExportCodec.toWire(value) };
    },
    async restoreCluster({ export: kept, without, isDryRun }, { signal }) {
      const order = {
        kept: kept === undefined ? undefined : clusterExportCodec.fromWire(kept),
        without,
        isDryRun,
      };
      return restoredCodec.toWire(await restoreCluster(context, order, signal));
    },
  };
}

function brakeOf({ brake }: Snapshot) {
  if (brake === undefined) return {};
  const { silent, known, most, held } = brake;
  return { brake: { silent, known, most, overdue: held.size } };
}
