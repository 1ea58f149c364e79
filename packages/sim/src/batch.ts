/** Many seeds over all cores. */
import type { Clock } from "@evm/fleet";
import { commandLineOf } from "./command-line.ts";
import { type Costed, Crew } from "./crew.ts";
import type { Selection } from "./run.ts";
import { shrink } from "./shrink.ts";

const HOUR_MS = 3_600_000;
/** One seed of so many is run twice, and counted once: the same seed, the same digest. */
const REPEATED = 16;
/** Progress is told so often. */
const TELL_MS = 10_000;
/** More failing seeds than this are counted, not shrunk: each takes many runs. */
const MAX_SHRUNK = 3;

export type BatchOptions = {
  readonly from: number;
  readonly seeds: number;
  /** No seed is begun after this, but for the first `minSeeds`. */
  readonly limitMs: number;
  readonly minSeeds?: number;
  readonly selectionOf: (seed: number) => Selection;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly print: (line: string) => void;
};

export type BatchOutcome = {
  readonly seeds: number;
  /** A sentence for each failing seed, with the command that shows it. */
  readonly failures: readonly string[];
  readonly hours: number;
};

export async function runBatch(options: BatchOptions): Promise<BatchOutcome> {
  const { from, seeds, limitMs, minSeeds = 0, clock, print } = options;
  await using crew = new Crew();
  const begunMs = clock.monotonicMs();
  const sums = { seeds: 0, simulatedMs: 0, cpuMs: 0, excused: new Map<string, number>() };
  const failures: string[] = [];
  let next = from;
  let toldAtMs = begunMs;

  async function work(): Promise<void> {
    for (;;) {
      const isLate = clock.monotonicMs() - begunMs >= limitMs && next - from >= minSeeds;
      if (next >= from + seeds || isLate) return;
      const seed = next++;
      await one(options.selectionOf(seed));
      if (clock.monotonicMs() - toldAtMs < TELL_MS) continue;
      toldAtMs = clock.monotonicMs();
      print(`… up to seed ${seed}: ${describe(sums)}, ${failures.length} failed`);
    }
  }

  async function one(selection: Selection): Promise<void> {
    const outcome = await crew.run(selection);
    count(outcome);
    const { seed } = selection;
    if (outcome.violations.length > 0) return fail(selection, outcome);
    if (seed % REPEATED !== 0) return;
    const again = await crew.run(selection);
    if (again.digest === outcome.digest) return;
    failures.push(`seed ${seed} is not the same twice: ${outcome.digest}, ${again.digest}`);
  }

  function count({ simulatedMs, cpuMs, excused }: Costed): void {
    sums.seeds += 1;
    sums.simulatedMs += simulatedMs;
    sums.cpuMs += cpuMs;
    for (const [excuse, times] of Object.entries(excused)) {
      sums.excused.set(excuse, (sums.excused.get(excuse) ?? 0) + times);
    }
  }

  async function fail(selection: Selection, outcome: Costed): Promise<void> {
    const { digest, violations } = outcome;
    const text = `seed ${selection.seed} (${digest}): ${violations.slice(0, 3).join("; ")}`;
    const isShrunk = failures.length < MAX_SHRUNK;
    failures.push(text);
    print(text);
    if (!isShrunk) return;
    const least = await shrink(selection, outcome, (each) => crew.run(each));
    failures[failures.indexOf(text)] = `${text}\n    ${commandLineOf(least)}`;
    print(`seed ${selection.seed}, shrunk: ${commandLineOf(least)}`);
  }

  await Promise.all(Array.from({ length: crew.size }, work));
  const wallS = (clock.monotonicMs() - begunMs) / 1000;
  print(
    `${describe(sums)}, ${failures.length} failed; ${wallS.toFixed(0)} s on ${crew.size} cores`,
  );
  const excused = [...sums.excused].map(([excuse, times]) => `${excuse} ${times}`).join(", ");
  print(`I2 was excused: ${excused === "" ? "never" : excused}`);
  return { seeds: sums.seeds, failures, hours: sums.simulatedMs / HOUR_MS };
}

function describe(sums: {
  readonly seeds: number;
  readonly simulatedMs: number;
  readonly cpuMs: number;
}): string {
  const hours = sums.simulatedMs / HOUR_MS;
  const perSecond = hours / (sums.cpuMs / 1000);
  return (
    `${sums.seeds} seeds, ${hours.toFixed(2)} simulated hours, ` +
    `${perSecond.toFixed(3)} a core-second`
  );
}
