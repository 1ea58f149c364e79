/** The cluster as a whole. */
import { waitingCodec } from "@evm/codec";
import type { ClusterService, Handlers } from "@evm/protocol";
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
      return {
        coordinator: id,
        version,
        leader: epoch.leader,
        epoch: BigInt(epoch.epoch),
        revision: BigInt(revision),
        isStoreConnected: store.isConnected,
        hostsUp: snapshot.hosts.filter((host) => host.liveness === "up").length,
        hostsLost: snapshot.hosts.filter((host) => host.liveness === "lost").length,
        hostsDraining: snapshot.hosts.filter((host) => host.admin === "draining").length,
        fleets: snapshot.fleets.length,
        instances: countPhases(unsorted),
        waiting: plan.waiting.slice(0, MAX_WAITING_SHOWN).map(waitingCodec.toWire),
        notes: plan.notes.map((note) => note.text),
      };
    },
  };
}
