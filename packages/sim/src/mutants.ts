/** Mistakes in the programs that the oracles must notice. */
import { AGENT_MUTATIONS } from "./mutants/agent.ts";
import { CONTROL_LOSS_MUTATIONS } from "./mutants/control-loss.ts";
import { LEADER_MUTATIONS } from "./mutants/leader.ts";
import { PLANNER_MUTATIONS } from "./mutants/planner.ts";
import { STORE_MUTATIONS } from "./mutants/store.ts";
import type { Mutation } from "./mutation.ts";

export const MUTATIONS: readonly Mutation[] = [
  ...STORE_MUTATIONS,
  ...PLANNER_MUTATIONS,
  ...LEADER_MUTATIONS,
  ...AGENT_MUTATIONS,
  ...CONTROL_LOSS_MUTATIONS,
];
