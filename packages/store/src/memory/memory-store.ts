/**
 * A store in memory: the same promises as on NATS, for tests and simulation. Deterministic: no
 * timers, no chance; what others learn, they learn in a later microtask.
 */
import type { HostName } from "@evm/fleet";
import type { ControlState, CoordinatorStore, HostStore } from "../store.ts";
import { MemoryCoordinator } from "./coordinator.ts";
import { MemoryHost } from "./host.ts";
import type { Participant } from "./participant.ts";
import { World } from "./world.ts";

export type MemoryStore = {
  /** Connects a coordinator. The same id may connect again, as after a restart. */
  coordinator(id: string): CoordinatorStore;
  host(name: HostName): HostStore;
  /** Cuts one participant off: its calls fail as unavailable and it sees what it saw last. */
  disconnect(participant: Participant): void;
  reconnect(participant: Participant): void;
  /**
   * The control state is lost: it goes on from an earlier one, as where a backup is put back; or
   * nothing is left, reports neither, as where the servers lost their data. Revisions count on from
   * there. Coordinators that are connected know what they knew until revisions pass it; who
   * connects later sees what there is.
   */
  loseControl(backup?: ControlState): void;
};

/** Makes an empty shared world. */
export function createMemoryStore(): MemoryStore {
  const world = new World();
  return {
    coordinator: (id) => new MemoryCoordinator(world, id),
    host: (name) => new MemoryHost(world, name),
    disconnect: (participant) => world.disconnect(participant),
    reconnect: (participant) => world.reconnect(participant),
    loseControl: (backup) => world.loseControl(backup),
  };
}
