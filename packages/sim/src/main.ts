/** `pnpm sim --seed N` replays one seed with its trace; `pnpm sim --seeds 200` runs a batch. */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { createWorldMetrics, type RunOutcome, runSeed } from "./run.ts";

const USAGE = "usage: pnpm sim --seed N | --seeds COUNT [--from N]\n";
const HOUR_MS = 3_600_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seed: { type: "string" }, seeds: { type: "string" }, from: { type: "string" } },
  });
  const { seed, seeds, from = "1" } = values;
  if (seed !== undefined) return replay(Number(seed));
  if (seeds !== undefined) return batch(Number(from), Number(seeds));
  process.stderr.write(USAGE);
  return 2;
}

async function replay(seed: number): Promise<number> {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const outcome = await runSeed({ seed, metrics: createWorldMetrics(), print });
  print(describe(outcome));
  return outcome.violations.length === 0 ? 0 : 1;
}

async function batch(from: number, count: number): Promise<number> {
  const metrics = createWorldMetrics();
  const begunMs = performance.now();
  let failures = 0;
  let simulatedMs = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const outcome = await runSeed({ seed, metrics });
    simulatedMs += outcome.simulatedMs;
    if (outcome.violations.length === 0) continue;
    failures += 1;
    process.stdout.write(`${describe(outcome)}\n`);
  }
  const seconds = (performance.now() - begunMs) / 1000;
  const hours = simulatedMs / HOUR_MS;
  process.stdout.write(
    `${count} seeds, ${failures} failed; ${hours.toFixed(2)} simulated hours in ` +
      `${seconds.toFixed(1)} s: ${(count / seconds).toFixed(1)} seeds/s, ` +
      `${(hours / seconds).toFixed(3)} simulated hours/s\n`,
  );
  return failures === 0 ? 0 : 1;
}

function describe({ seed, digest, violations, simulatedMs }: RunOutcome): string {
  const seconds = Math.round(simulatedMs / 1000);
  const outcome = violations.length === 0 ? "all is well" : violations.join("; ");
  return `seed ${seed} (${digest}, ${seconds} s simulated): ${outcome}`;
}

process.exitCode = await main();
