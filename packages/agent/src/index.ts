export type { AgentOptions } from "./agent.ts";
export { Agent } from "./agent.ts";
export type { Machine, Reserve } from "./capacity.ts";
export type { AgentMetrics } from "./metrics.ts";
export { createAgentMetrics } from "./metrics.ts";
export type { StateDir } from "./state-dir.ts";
export { openStateDir } from "./state-dir.ts";
export type { Slots } from "./steps.ts";
