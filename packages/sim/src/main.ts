/** `npm run sim -- --help` says what this does. */
import { systemClock } from "@evm/telemetry";
import { runBatch } from "./batch.ts";
import { parseCommandLine, USAGE } from "./command-line.ts";
import { tryMutations } from "./mutations.ts";
import { createWorldMetrics, runSeed, type Selection } from "./run.ts";

const print = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { command, selectionOf } = parseCommandLine(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      print(USAGE);
      return 2;
    case "replay":
      return replay(selectionOf(command.seed));
    case "mutations":
      return tryMutations(print);
    case "batch": {
      const { failures } = await runBatch({ ...command, selectionOf, clock: systemClock, print });
      return failures.length === 0 ? 0 : 1;
    }
  }
}

async function replay(selection: Selection): Promise<number> {
  const outcome = await runSeed({ ...selection, metrics: createWorldMetrics(), print });
  const { digest, violations, simulatedMs } = outcome;
  const result = violations.length === 0 ? "all is well" : violations.join("; ");
  const seconds = Math.round(simulatedMs / 1000);
  print(`seed ${selection.seed} (${digest}, ${seconds} s simulated): ${result}`);
  return violations.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`sim: ${error.message}\n`);
  process.exitCode = 2;
}
