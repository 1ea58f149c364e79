/**
 * From `evm apply` to all ready, next to a bare loop of libvirt and Docker calls for the same VMs
 * and containers: the ratio is what EVM costs. Run as root, one at a time, after scripts/setup:
 *
 *   node test/bench/deploy.ts [--vms 20] [--containers 50] [--rounds 1] [--cli FILE] [--json]
 *
 * Everything that it makes is named `evm-bench-…`, and is removed also on Ctrl-C.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import { type Blueprint, deployBare, readBlueprint, sweep } from "./deploy-bare.ts";
import { EvmDev } from "./deploy-evm.ts";
import type { Size, Times } from "./deploy-model.ts";
import { printTable, times } from "./support/table.ts";

type Row = { readonly round: number; readonly half: "EVM" | "bare" } & Times;

const PHASES = ["containersReady", "vmsReady", "allReady", "removed"] as const;
const CLI = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: {
      vms: { type: "string", default: "20" },
      containers: { type: "string", default: "50" },
      rounds: { type: "string", default: "1" },
      cli: { type: "string", default: CLI },
      json: { type: "boolean", default: false },
    },
  });
  const size = { vms: count(values.vms), containers: count(values.containers) };
  const missing = [root, libvirt, docker, natsServer, guest].flatMap((needs) => needs() ?? []);
  if (missing.length > 0) throw new Error(missing.join("; "));
  await sweep();
  try {
    const rows = await measure(size, count(values.rounds), values.cli, signal);
    if (values.json)
      console.log(JSON.stringify({ size, rows, ratios: ratiosOf(rows) }, undefined, 2));
    else print(size, rows);
  } finally {
    await sweep();
  }
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`"${text}": expected a number from 1`);
}

/** EVM and bare take turns, so that what else the machine does meets both. */
async function measure(
  size: Size,
  rounds: number,
  cli: string,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    console.error(`round ${round} of ${rounds}: EVM`);
    const { blueprint, evm } = await withEvm(size, cli, signal);
    rows.push({ round, half: "EVM", ...evm });
    console.error(`round ${round} of ${rounds}: bare`);
    rows.push({ round, half: "bare", ...(await deployBare(size, blueprint, signal)) });
  }
  return rows;
}

/** A first deployment of one of each fetches the image; the second one is measured. */
async function withEvm(
  size: Size,
  cli: string,
  signal: AbortSignal,
): Promise<{ readonly blueprint: Blueprint; readonly evm: Times }> {
  await using dev = await EvmDev.start(cli, signal);
  const read = Promise.withResolvers<Blueprint>();
  await dev.deploy({ vms: 1, containers: 1 }, async () => read.resolve(await readBlueprint()));
  return { blueprint: await read.promise, evm: await dev.deploy(size) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [Math.floor((sorted.length - 1) / 2), Math.ceil((sorted.length - 1) / 2)];
  return ((sorted[low] ?? Number.NaN) + (sorted[high] ?? Number.NaN)) / 2;
}

const medianOf = (rows: readonly Row[], half: Row["half"], phase: keyof Times): number =>
  median(rows.filter((row) => row.half === half).map((row) => row[phase]));

/** EVM's median over the bare one, for each phase. */
const ratiosOf = (rows: readonly Row[]): Times => {
  const ratio = (phase: keyof Times) =>
    medianOf(rows, "EVM", phase) / medianOf(rows, "bare", phase);
  return {
    containersReady: ratio("containersReady"),
    vmsReady: ratio("vmsReady"),
    allReady: ratio("allReady"),
    removed: ratio("removed"),
  };
};

function print({ vms, containers }: Size, rows: readonly Row[]): void {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const medians = (half: Row["half"]) =>
    PHASES.map((phase) => seconds(medianOf(rows, half, phase)));
  const ratios = ratiosOf(rows);
  console.log(`${vms} VMs and ${containers} containers; seconds\n`);
  printTable(
    [
      ["round", "half", "containers ready", "VMs ready", "all ready", "removed"],
      ...rows.map((row) => [
        String(row.round),
        row.half,
        ...PHASES.map((phase) => seconds(row[phase])),
      ]),
      ["median", "EVM", ...medians("EVM")],
      ["median", "bare", ...medians("bare")],
      ["ratio", "", ...PHASES.map((phase) => times(ratios[phase]))],
    ],
    [0, 1],
  );
}

const ending = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => ending.abort(new DOMException(`ended by ${name}`, "AbortError")));
}
try {
  await main(ending.signal);
} catch (error) {
  // Anything else means that something may be left.
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
  console.error("ended; everything that the bench made is removed");
  process.exitCode = 130;
}
