/**
 * How long things take that go wrong, or are changed while they run: EVM, and beside it Docker
 * Swarm and Docker alone on the same machines for the same. Run as root, after scripts/setup and
 * `npm run build`:
 *
 *   scripts/with-tools node test/bench/failover/main.ts [PART...] [--rounds 10] [--long-rounds 3]
 *       [--containers 100] [--system evm|docker|swarm] [--json]
 *
 * Parts: crash, takeover, host-loss, drain, update-10, update-1; all of them by default.
 */
import { parseArgs } from "node:util";
import { docker, guest, libvirt, natsServer, root, wallClock } from "../../support/requires.ts";
import { printTable } from "../support/table.ts";
import { measureCrash } from "./crash.ts";
import { DOCKER_PARTS, DockerRack } from "./docker-alone.ts";
import { EVM_PARTS, EvmRack } from "./evm.ts";
import { median, type PartOptions, type Row } from "./model.ts";
import { SWARM_PARTS, SwarmRack } from "./swarm.ts";

const SHORT: readonly string[] = ["crash", "takeover"];
const PARTS: readonly string[] = ["crash", ...Object.keys(EVM_PARTS)];
const SYSTEMS: readonly string[] = ["evm", "docker", "swarm"];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: "string", default: "10" },
      "long-rounds": { type: "string", default: "3" },
      containers: { type: "string", default: "100" },
      system: { type: "string", multiple: true, default: [...SYSTEMS] },
      json: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const missing = [root, docker, libvirt, natsServer, guest, wallClock].flatMap(
    (needs) => needs() ?? [],
  );
  if (missing.length > 0) throw new Error(missing.join("; "));
  const parts = positionals.length === 0 ? PARTS : positionals.map((part) => oneOf(part, PARTS));
  const systems = values.system.map((system) => oneOf(system, SYSTEMS));
  const optionsOf = (part: string): PartOptions => ({
    rounds: count(SHORT.includes(part) ? values.rounds : values["long-rounds"]),
    containers: count(values.containers),
    tell: (text) => console.error(text),
  });
  const rows: Row[] = [];
  try {
    for await (const row of measure(parts, systems, optionsOf)) rows.push(row);
  } finally {
    // Whatever became of the rest: an hour's work is not lost with it.
    const sorted = rows.toSorted((a, b) => whatOf(rows, a) - whatOf(rows, b));
    if (values.json) console.log(JSON.stringify(sorted, undefined, 2));
    else print(sorted);
  }
}

/** One system after the other: both at once would measure each other. */
async function* measure(
  parts: readonly string[],
  systems: readonly string[],
  optionsOf: (part: string) => PartOptions,
): AsyncGenerator<Row> {
  if (systems.includes("evm")) {
    if (parts.includes("crash")) yield* await measureCrash(optionsOf("crash"));
    if (parts.some((part) => part in EVM_PARTS)) {
      await using rack = await EvmRack.start();
      for (const part of parts) {
        if (EVM_PARTS[part] === undefined) continue;
        console.error(`EVM: ${part}`);
        yield await EVM_PARTS[part](rack, optionsOf(part));
      }
    }
  }
  if (systems.includes("docker") && parts.some((part) => part in DOCKER_PARTS)) {
    await using rack = await DockerRack.start();
    for (const part of parts) {
      if (DOCKER_PARTS[part] === undefined) continue;
      console.error(`Docker alone: ${part}`);
      yield await DOCKER_PARTS[part](rack, optionsOf(part));
    }
  }
  if (systems.includes("swarm")) {
    await using rack = await SwarmRack.start();
    for (const part of parts) {
      if (SWARM_PARTS[part] === undefined) continue;
      console.error(`Swarm: ${part}`);
      yield* await SWARM_PARTS[part](rack, optionsOf(part));
    }
  }
}

/** What is the same for all systems stands together, in the order in which it was measured. */
const whatOf = (rows: readonly Row[], { what }: Row): number =>
  rows.findIndex((row) => row.what === what);

function print(rows: readonly Row[]): void {
  const seconds = (ms: number | undefined) => (ms === undefined ? "" : (ms / 1_000).toFixed(2));
  printTable(
    [
      ["what", "system", "rounds", "median s", "worst s", "goal s"],
      ...rows.map(({ what, system, ms, goalMs }) => [
        ...[what, system, String(ms.length)],
        ...[seconds(median(ms)), seconds(Math.max(...ms)), seconds(goalMs)],
      ]),
    ],
    [0, 1],
  );
}

function oneOf(text: string, known: readonly string[]): string {
  if (known.includes(text)) return text;
  throw new Error(`"${text}": expected one of ${known.join(", ")}`);
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`"${text}": expected a number from 1`);
}

await main();
