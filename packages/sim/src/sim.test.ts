import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { queryObjects } from "node:v8";
import { type FleetName, instanceName } from "@evm/fleet";
import { describe, expect, test } from "vitest";
import { commandLineOf, parseCommandLine } from "./command-line.ts";
import { MUTATIONS } from "./mutants.ts";
import { patched } from "./mutation.ts";
import { unexplained } from "./oracles/reasons.ts";
import { createWorldMetrics, type RunOutcome, runSeed, type Selection } from "./run.ts";
import { SCENARIOS } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { Timeline } from "./timeline.ts";
import { World } from "./world.ts";

const metrics = createWorldMetrics();
const whole = (seed: number): Selection => ({
  seed,
  scenario: SCENARIOS.small,
  only: undefined,
  without: [],
});

test.each([1, 2, 3])("seed %i keeps every invariant, and runs the same twice", async (seed) => {
  const first = await runSeed({ ...whole(seed), metrics });
  expect(first.violations).toEqual([]);
  expect(await runSeed({ ...whole(seed), metrics })).toEqual(first);
});

test("where lasting faults pass, they come in spells, and all is well in between", async () => {
  const lines: string[] = [];
  const scenario = { ...SCENARIOS.small, hasSpells: true };
  const print = (line: string) => lines.push(line);
  const only = ["loss", "slowStore", "drift"];
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const { violations } = await runSeed({ ...whole(seed), scenario, only, metrics, print });
    expect(violations).toEqual([]);
  }
  const faults = lines.filter((line) => line.includes("  fault "));
  const isSpell = /fault \d+: (loss|slowStore|loss, slowStore) for \d+ ms/;
  expect(faults.some((line) => isSpell.test(line))).toBe(true);
  const lasting = faults.filter((line) => line.includes("all along"));
  expect(lasting.length).toBeGreaterThan(0);
  expect(lasting.every((line) => line.includes("fault drift"))).toBe(true);
});

test("what has run many seeds keeps none of their worlds", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) await runSeed({ ...whole(seed), metrics });
  // What its last events have begun goes on until here.
  await setImmediate();
  expect(queryObjects(World, { format: "count" })).toBe(0);
});

test("another seed is another run", async () => {
  const [one, other] = await Promise.all(
    [4, 5].map((seed) => runSeed({ ...whole(seed), metrics })),
  );
  expect(one?.digest).not.toBe(other?.digest);
});

test("events happen in their order, each after all that follows from the one before", async () => {
  const timeline = new Timeline();
  const seen: string[] = [];
  const say = async (text: string) => {
    seen.push(text);
    await Promise.resolve();
    await Promise.resolve();
    seen.push(`${text}, later`);
  };
  timeline.after(20, () => void say("second"));
  timeline.after(10, () => void say("first"));
  timeline.after(20, () => void say("third"));
  timeline.after(15, () => void say("never"))();
  await timeline.run(() => true);
  const all = ["first", "second", "third"];
  expect(seen).toEqual(all.flatMap((text) => [text, `${text}, later`]));
  expect(timeline.nowMs).toBe(20);
});

test("where looks at a clock take time, what comes due meanwhile happens late", async () => {
  const timeline = new Timeline();
  const atMs: number[] = [];
  timeline.lookMs = 3;
  timeline.after(10, () => {
    const [first, second] = [timeline.lookedAtMs(), timeline.lookedAtMs()];
    expect(second - first).toBe(3);
  });
  timeline.after(12, () => atMs.push(timeline.nowMs));
  timeline.after(20, () => atMs.push(timeline.nowMs));
  await timeline.run(() => true);
  expect(atMs).toEqual([16, 20]);
});

test("a plan that does not say why an instance waits is noticed, and one that forgets it", () => {
  const fleet = "web" as FleetName;
  const waiting = [{ instance: instanceName(fleet, 0), fleet, reason: "", refusals: [] }];
  const overcommit = { vcpu: 1, memory: 1, disk: 1 };
  const clusterWide = { epoch: 1, epochBase: 0, overcommit, waveShare: 0.1, brake: undefined };
  const snapshot = { ...clusterWide, fleets: [], hosts: [] };
  const nothing = { orders: [], actions: [], notes: [], fleets: [], forgottenFleets: [] };
  const plan = { ...nothing, waiting, watched: new Set<FleetName>() };
  expect(unexplained(snapshot, plan)).toEqual(["web-0000 waits without a reason"]);
});

describe("a failing seed", () => {
  /** Fails where it is cut and loses power within 20 s. */
  const run = async ({ only, without, scenario }: Selection): Promise<RunOutcome> => {
    const isBroken =
      (["cut", "losePower"].every((kind) => only?.includes(kind) !== false) &&
        scenario.faultsMs >= 20_000 &&
        scenario.hosts >= 2 &&
        !without.includes(3)) === true;
    return {
      digest: "",
      violations: isBroken ? ["I1: twice"] : ["I7: never"],
      simulatedMs: 50_000,
      kinds: ["cut", "drift", "losePower", "loss"],
      episodes: 6,
      excused: {},
    };
  };

  test("is shrunk to what it takes", async () => {
    const least = await shrink(whole(7), await run(whole(7)), run);
    const sizes = "--seed 7 --coordinators 1 --fleets 1 --instances 1";
    const faults = "--only cut,losePower --without 5,4,2,1,0";
    const command = commandLineOf(least);
    expect(command).toContain(`${sizes} --until 20.`);
    expect(command).toContain(faults);
  });

  test("is replayed by the command that is printed", () => {
    const text = "--seed 9 --scenario rack --hosts 4 --until 34s --only cut,loss --without 1,2";
    const { command, selectionOf } = parseCommandLine(text.split(" "));
    expect(command).toEqual({ kind: "replay", seed: 9 });
    expect(commandLineOf(selectionOf(9))).toBe(`npm run sim -- ${text}`);
  });
});

test.each([
  ["--only flood --seeds 1", /--only flood: expected some of .*cut/],
  [
    "--scenario huge --seeds 1",
    /--scenario huge: expected one of small, surge, loss, replaced, row, rack/,
  ],
  ["--seeds many", /--seeds many: expected a number above 0/],
])("%s is refused, and it is said why", (text, message) => {
  expect(() => parseCommandLine(text.split(" "))).toThrow(message);
});

test.each(MUTATIONS.map((one) => [one.name, one] as const))("can be made: %s", (_, { patches }) => {
  const files = new Map<string, string>();
  for (const patch of patches) {
    const url = new URL(`../../${patch.file}`, import.meta.url);
    const source = files.get(patch.file) ?? readFileSync(url, "utf8");
    files.set(patch.file, patched(source, patch));
  }
});
