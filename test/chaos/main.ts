/**
 * Chaos on one machine: `npm run chaos` runs the scenarios as tests; `npm run chaos -- --long`
 * breaks what a seed says, round after round, and checks everything in the end.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { setup } from "../e2e/setup.ts";
import { runLong } from "./support/long.ts";
import { RACK, VM_RACK } from "./support/scenes.ts";

const USAGE = `usage: npm run chaos                                      the scenarios, one by one
       npm run chaos -- --long [--vms] [--seed N] [--minutes N]
                                                          what a seed breaks, for N minutes (10)

With --vms there are fewer hosts, which run VMs beside containers.
The same seed breaks the same things in the same order. Needs root and what scripts/setup installs.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      long: { type: "boolean", default: false },
      vms: { type: "boolean", default: false },
      seed: { type: "string" },
      minutes: { type: "string", default: "10" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (!values.long) {
    const { status } = spawnSync("vitest", ["run", "--project", "chaos"], { stdio: "inherit" });
    return status ?? 1;
  }
  setup();
  const seed = wholeNumber("seed", values.seed ?? String(Date.now() % 100_000));
  const minutes = wholeNumber("minutes", values.minutes);
  return (await runLong(values.vms ? VM_RACK : RACK, { seed, minutes })) ? 0 : 1;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name} ${text}: expected a whole number`);
}

process.exitCode = await main();
