export { createWorldMetrics, type RunOptions, type RunOutcome, runSeed } from "./run.ts";
export { SOUND, type Variant } from "./variant.ts";
