export { createWorldMetrics, type RunOptions, type RunOutcome, runSeed } from "./run.ts";
export { SCENARIOS, type Scenario } from "./scenario.ts";
