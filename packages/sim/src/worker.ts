/** worker.ts [MUTATION]: runs the seeds that it is sent, with this mistake in the programs. */
import { applyMutation, type Mutation } from "./mutation.ts";
import type { Selection } from "./run.ts";

const [, , text] = process.argv;
const mutation: Mutation | undefined = text === undefined ? undefined : JSON.parse(text);
// Errors are made by the thousand, and a replay shows where: without stacks they take a third.
Error.stackTraceLimit = 0;
// Before any of the programs is loaded.
if (mutation !== undefined) applyMutation(mutation);
const { createWorldMetrics, runSeed } = await import("./run.ts");

// Nobody waits for the seed that is under way.
process.on("disconnect", () => process.exit());
const metrics = createWorldMetrics();
process.on("message", async (selection: Selection) => {
  const begun = process.cpuUsage();
  const outcome = await runSeed({ ...selection, metrics });
  const { user, system } = process.cpuUsage(begun);
  process.send?.({ ...outcome, cpuMs: (user + system) / 1000 });
});
