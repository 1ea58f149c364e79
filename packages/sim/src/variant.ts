/** A world in which one part is broken on purpose: what the oracles must notice. */
import type { StateDir } from "@evm/agent";
import type { Driver } from "@evm/drivers";
import type { CoordinatorStore } from "@evm/store";
import type { SeededRandom } from "./seeded-random.ts";

export type Variant = {
  /** Stands before the store, for coordinators. */
  readonly store: (store: CoordinatorStore, random: SeededRandom) => CoordinatorStore;
  readonly driver: (driver: Driver, random: SeededRandom) => Driver;
  readonly stateDir: (stateDir: StateDir) => StateDir;
  /** What is added to a lease before its host counts as lost. */
  readonly marginMs: number;
  /** By what an agent multiplies the capacity of its host. */
  readonly capacityFactor: number;
};

/** The world as it is to be. */
export const SOUND: Variant = {
  store: (store) => store,
  driver: (driver) => driver,
  stateDir: (stateDir) => stateDir,
  marginMs: 1_500,
  capacityFactor: 1,
};
