/** Whether the oracles notice what is wrong with the programs, and at which seed. */
import { Crew } from "./crew.ts";
import { MUTATIONS } from "./mutants.ts";
import type { Mutation } from "./mutation.ts";
import { SCENARIOS } from "./scenario.ts";
import { invariantOf } from "./shrink.ts";

/** Within so many seeds, or by its known one, each mistake must have shown. */
export const MAX_SEEDS_TO_CATCH = 200;

/**
 * The seed that catches the mutation by the invariant that it breaks, the known one tried first;
 * undefined where none does.
 */
export async function catchingSeed(mutation: Mutation, size?: number): Promise<number | undefined> {
  await using crew = new Crew(mutation, size);
  const others = Array.from({ length: MAX_SEEDS_TO_CATCH }, (_, at) => at + 1);
  const seeds = [mutation.seed, ...others.filter((seed) => seed !== mutation.seed)];
  const scenario = SCENARIOS[mutation.scenario ?? "small"];
  let caught: number | undefined;
  async function work(): Promise<void> {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      if (caught !== undefined) return;
      const selection = { seed, scenario, only: undefined, without: [] };
      const { violations } = await crew.run(selection);
      if (violations.some((text) => invariantOf(text) === mutation.invariant)) caught ??= seed;
    }
  }
  await Promise.all(Array.from({ length: crew.size }, work));
  return caught;
}

/** Prints a line for each mutation; 1 where one is not caught. */
export async function tryMutations(print: (line: string) => void): Promise<number> {
  let missed = 0;
  for (const mutation of MUTATIONS) {
    const seed = await catchingSeed(mutation);
    if (seed === undefined) missed += 1;
    const outcome = seed === undefined ? "NOT CAUGHT" : `seed ${seed}`;
    print(`${mutation.invariant}  ${outcome.padEnd(12)}${mutation.name}`);
  }
  const tried = `within ${MAX_SEEDS_TO_CATCH} seeds or by the known one`;
  print(`${MUTATIONS.length} mutations, ${missed} not caught ${tried}`);
  return missed === 0 ? 0 : 1;
}
