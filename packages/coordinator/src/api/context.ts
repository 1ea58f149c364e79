import type { BlastLimits, Clock } from "@evm/fleet";
import type { CoordinatorStore } from "@evm/store";
import type { Coordinator } from "../coordinator.ts";

/** What every handler of the API works on. */
export type ApiContext = {
  readonly id: string;
  readonly version: string;
  readonly coordinator: Coordinator;
  readonly store: CoordinatorStore;
  readonly clock: Clock;
  /** What a request may disturb without being confirmed. */
  readonly blastLimits: BlastLimits;
};
