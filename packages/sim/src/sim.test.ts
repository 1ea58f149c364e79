import { type FleetName, instanceName } from "@evm/fleet";
import { describe, expect, test } from "vitest";
import { BROKEN } from "./broken.testing.ts";
import { unexplained } from "./oracles/reasons.ts";
import { createWorldMetrics, runSeed } from "./run.ts";

const SEEDS = Array.from({ length: 16 }, (_, index) => index + 1);
/** Within so many seeds each mistake must have shown. */
const MAX_SEEDS_TO_CATCH = 50;

const metrics = createWorldMetrics();

test.each(SEEDS)("seed %i keeps every invariant, and runs the same twice", async (seed) => {
  const first = await runSeed({ seed, metrics });
  expect(first.violations).toEqual([]);
  expect(await runSeed({ seed, metrics })).toEqual(first);
});

/** Seeds that found what was wrong; as the programs change, they try other things than they did. */
const FOUND: readonly (readonly [number, string])[] = [
  [20, "a host that was back was promised, by its old orders, what ran elsewhere already (I2)"],
  [269, "an agent that had not seen its instances reported them gone, and their disks stayed (I7)"],
  [454, "a host that came back while it was written off was given a lease (I2)"],
  [479, "a leader that did not see its own commit ordered the same incarnation twice (I1)"],
  [1588, "a start took room that had been given away since its instance stopped (I3)"],
];

test.each(FOUND)("seed %i, where %s", async (seed) => {
  expect((await runSeed({ seed, metrics })).violations).toEqual([]);
});

test("another seed is another run", async () => {
  const [one, other] = [await runSeed({ seed: 1, metrics }), await runSeed({ seed: 2, metrics })];
  expect(one.digest).not.toBe(other.digest);
});

describe("is caught within 50 seeds:", { timeout: 60_000 }, () => {
  test.each(Object.entries(BROKEN))("%s", async (_, { variant, invariant }) => {
    const caught = new Set<string>();
    for (let seed = 1; seed <= MAX_SEEDS_TO_CATCH && !caught.has(invariant); seed += 1) {
      const { violations } = await runSeed({ seed, metrics, variant });
      for (const text of violations) caught.add(text.slice(0, text.indexOf(":")));
    }
    expect([...caught]).toContain(invariant);
  });

  test("a planner that does not say why an instance waits", () => {
    const fleet = "web" as FleetName;
    const waiting = [{ instance: instanceName(fleet, 0), fleet, reason: "", refusals: [] }];
    const overcommit = { vcpu: 1, memory: 1, disk: 1 };
    const clusterWide = { epoch: 1, epochBase: 0, overcommit, waveShare: 0.1, brake: undefined };
    const snapshot = { ...clusterWide, fleets: [], hosts: [] };
    const plan = { orders: [], actions: [], waiting, notes: [], fleets: [], forgottenFleets: [] };
    expect(unexplained(snapshot, plan)).toContain("web-0000 waits without a reason");
  });
});
