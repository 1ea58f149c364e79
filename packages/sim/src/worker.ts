/** Runs seeds in a thread of its own; where it is asked to, with a mistake in the programs. */
import { parentPort, workerData } from "node:worker_threads";
import { applyMutation, type Mutation } from "./mutation.ts";
import type { Selection } from "./run.ts";

const { mutation }: { readonly mutation: Mutation | undefined } = workerData;
// Errors are made by the thousand, and a replay shows where: without stacks they take a third.
Error.stackTraceLimit = 0;
// Before any of the programs is loaded.
if (mutation !== undefined) applyMutation(mutation);
const { createWorldMetrics, runSeed } = await import("./run.ts");

const metrics = createWorldMetrics();
parentPort?.on("message", async (selection: Selection) => {
  const begun = process.threadCpuUsage();
  const outcome = await runSeed({ ...selection, metrics });
  const { user, system } = process.threadCpuUsage(begun);
  parentPort?.postMessage({ ...outcome, cpuMs: (user + system) / 1000 });
});
