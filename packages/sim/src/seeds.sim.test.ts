/** Many seeds, as long as CI can spare, and every mistake that the oracles must notice. */
import { systemClock } from "@evm/telemetry";
import { describe, expect, test } from "vitest";
import { runBatch } from "./batch.ts";
import { Crew } from "./crew.ts";
import { MUTATIONS } from "./mutants.ts";
import { catchingSeed, MAX_SEEDS_TO_CATCH } from "./mutations.ts";
import type { Selection } from "./run.ts";
import { SCENARIOS } from "./scenario.ts";

/** Seeds that found what was wrong; as programs and worlds change, they try other things. */
const FOUND: readonly Found[] = [
  [20, "a host that was back was promised, by its old orders, what ran elsewhere already (I2)"],
  [23, "a wall clock that was set back kept what had crashed from being restarted for hours (I7)"],
  [269, "an agent that had not seen its instances reported them gone, and their disks stayed (I7)"],
  [294, "a leader that had forgotten its orders gave leases to hosts that were succeeded (I2)"],
  [454, "a host that came back while it was written off was given a lease (I2)"],
  [479, "a leader that did not see its own commit ordered the same incarnation twice (I1)"],
  [713, "the oracle took what was declared anew for ready as long as what was deleted before"],
  [737, "a leader ran on under its epoch when a backup was put back beneath it (S5)"],
  [742, "a silent host was taken to go by what an older copy had stored for it (R3)"],
  [1059, "orders were said to be applied that a full disk had not kept: a crash undid them (I7)"],
  [1446, "a host was given a lease back while the successor of what it ran was ending (I2)"],
  [1588, "a start took room that had been given away since its instance stopped (I3)"],
  [20369, "the oracle took an update of what had been moved before for another move (brake)"],
  [31091, "an outage that ended within another was taken for one that went on (calm)"],
  [31456, "the oracle did not know that what its driver did not list was not seen to run (calm)"],
  [55730, "the oracle looked at who could hear when the store took a commit, not before (calm)"],
  [56420, "what was still being started for a killed agent was taken for ended (I2)"],
  [56667, "a drain ended all at once on a host whose report was lost with all data (availability)"],
  [56698, "the oracle counted pauses that no leader notices between two looks (calm)"],
  [57064, "the oracle took freezes that end each other for one that went on (calm)"],
  [58046, "the oracle waited for what a driver had denied, of a fleet declared anew (I2)"],
  [71491, "what a host was still to discard, and is wanted again, was not at stake there (brake)"],
];
/** The same, in worlds that lose their control state. */
const FOUND_IN_LOSS: readonly Found[] = [
  [361, "the oracle did not know of a discard that was written to an older copy (I4, S5)"],
  [1753, "a host that had come back discarded by old orders what newer ones had made anew (I4)"],
  [2605, "the oracle took what waits for room, to be made as before, for what is declared (I7)"],
  [2908, "a successor was taken in beside what it succeeded, which held a lease (I2)"],
  [20457, "what was declared anew had the numbers of what ran, on a host that nobody knew of (I1)"],
];
/** The same, where updates have extra instances, and with more hosts. */
const FOUND_IN_SURGE: readonly Found[] = [
  [10417, "a new leader promised leases before it saw what was committed before its claim (I2)"],
];
const FOUND_IN_ROW: readonly Found[] = [
  [10709, "a restore took in what had succeeded what was planned since the one before (I1, I2)"],
];
type Found = readonly [seed: number, wrong: string];

test("seeds that once found something keep every invariant", { timeout: 120_000 }, async () => {
  await using crew = new Crew();
  const look = async (scenario: "small" | "loss" | "surge" | "row", [seed, wrong]: Found) => {
    const { violations } = await crew.run(whole(seed, scenario));
    return violations.map((text) => `${scenario} ${seed}, ${wrong}: ${text}`);
  };
  const broken = await Promise.all([
    ...FOUND.map((one) => look("small", one)),
    ...FOUND_IN_LOSS.map((one) => look("loss", one)),
    ...FOUND_IN_SURGE.map((one) => look("surge", one)),
    ...FOUND_IN_ROW.map((one) => look("row", one)),
  ]);
  expect(broken.flat()).toEqual([]);
});

/** Where nobody waits for it, the test takes its time. */
const isCi = process.env["CI"] === "true";
/** The same seeds in every run, as far as the time allows; others are for batches by hand. */
const BUDGETS = [
  { scenario: "small", minSeeds: 60, seeds: 1_500, minutes: isCi ? 1 : 0.2 },
  { scenario: "loss", minSeeds: 30, seeds: 400, minutes: isCi ? 0.75 : 0.2 },
  { scenario: "row", minSeeds: 10, seeds: 250, minutes: isCi ? 0.75 : 0.2 },
  { scenario: "replaced", minSeeds: 10, seeds: 250, minutes: isCi ? 0.5 : 0.2 },
  { scenario: "rack", minSeeds: 2, seeds: 4, minutes: isCi ? 1 : 0.2 },
  // A day each: of 504 hours of the whole rack what these minutes hold, and the days then begun.
  { scenario: "day", minSeeds: 2, seeds: 21, minutes: isCi ? 10 : 0.2 },
] as const;

describe.each(BUDGETS)("$scenario, $minutes minutes", ({ scenario, minutes, ...count }) => {
  const timeout = 2 * minutes * 60_000 + 600_000;
  test("every seed keeps every invariant, and is the same twice", { timeout }, async () => {
    const { failures, seeds, hours } = await runBatch({
      from: 1,
      ...count,
      limitMs: minutes * 60_000,
      selectionOf: (seed) => whole(seed, scenario),
      clock: systemClock,
      print: (line) => process.stdout.write(`${scenario}: ${line}\n`),
    });
    expect(failures).toEqual([]);
    expect(seeds).toBeGreaterThanOrEqual(count.minSeeds);
    expect(hours).toBeGreaterThan(0);
  });
});

const tried = `${MAX_SEEDS_TO_CATCH} seeds or the known one`;
describe(`is noticed by ${tried}:`, { timeout: 240_000 }, () => {
  test.each(MUTATIONS.map((one) => [one.name, one] as const))("%s", async (_, mutation) => {
    expect(await catchingSeed(mutation)).toBeDefined();
  });
});

function whole(seed: number, scenario: keyof typeof SCENARIOS): Selection {
  return { seed, scenario: SCENARIOS[scenario], only: undefined, without: [] };
}
