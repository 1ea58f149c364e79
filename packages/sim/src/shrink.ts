/** Finds less of a failing seed that still fails in the same way: what to look at first. */
import type { RunOutcome, Selection } from "./run.ts";

/** Each costs a run; what is left then is short enough. */
const MAX_RUNS = 150;
/** Shorter is not worth a run. */
const MIN_CUT_MS = 1_000;

export type Run = (selection: Selection) => Promise<RunOutcome>;

export const invariantOf = (violation: string): string =>
  violation.slice(0, violation.indexOf(":"));

/** @param outcome of the whole seed */
export async function shrink(
  selection: Selection,
  outcome: RunOutcome,
  run: Run,
): Promise<Selection> {
  const invariants = new Set(outcome.violations.map(invariantOf));
  let runs = 0;
  let best: Selection = { ...selection, only: outcome.kinds };
  let { episodes } = outcome;

  /** Takes the candidate where it fails, too. */
  async function tries(candidate: Selection): Promise<boolean> {
    if (runs >= MAX_RUNS) return false;
    runs += 1;
    const found = await run(candidate);
    if (!found.violations.some((text) => invariants.has(invariantOf(text)))) return false;
    best = candidate;
    episodes = found.episodes;
    return true;
  }

  async function withScenario(change: Partial<Selection["scenario"]>): Promise<boolean> {
    return tries({ ...best, scenario: { ...best.scenario, ...change } });
  }

  for (const kind of outcome.kinds) {
    await tries({ ...best, only: best.only?.filter((one) => one !== kind) });
  }
  await shorten(Math.min(outcome.simulatedMs, best.scenario.faultsMs));
  for (let hosts = best.scenario.hosts; hosts > 1; hosts = Math.floor(hosts / 2)) {
    if (!(await withScenario({ hosts: Math.floor(hosts / 2) }))) break;
  }
  for (const key of ["fleets", "instances", "coordinators"] as const) {
    while (best.scenario[key] > 1 && (await withScenario({ [key]: best.scenario[key] >> 1 })));
  }
  for (let number = episodes - 1; number >= 0; number -= 1) {
    await tries({ ...best, without: [...best.without, number] });
  }
  return best;

  async function shorten(fromMs: number): Promise<void> {
    let [enough, tooShort] = [fromMs, 0];
    await withScenario({ faultsMs: enough });
    while (enough - tooShort > MIN_CUT_MS && runs < MAX_RUNS) {
      const middle = Math.round((enough + tooShort) / 2);
      if (await withScenario({ faultsMs: middle })) enough = middle;
      else tooShort = middle;
    }
  }
}
