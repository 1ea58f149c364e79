/** One seed: a world in which things go wrong, then heals, and must come to rest. */
import { createAgentMetrics } from "@evm/agent";
import { createCoordinatorMetrics } from "@evm/coordinator";
import { Metrics } from "@evm/telemetry";
import { Faults } from "./faults.ts";
import { Acknowledgements, acknowledged } from "./oracles/acknowledged.ts";
import { availability } from "./oracles/availability.ts";
import { brake } from "./oracles/brake.ts";
import { calm } from "./oracles/calm.ts";
import { capacity } from "./oracles/capacity.ts";
import { unsettled } from "./oracles/convergence.ts";
import { data } from "./oracles/data.ts";
import { type Excused, isolation } from "./oracles/isolation.ts";
import { lapse } from "./oracles/lapse.ts";
import { lease } from "./oracles/lease.ts";
import { recall } from "./oracles/recall.ts";
import { singleRun } from "./oracles/single-run.ts";
import { succession } from "./oracles/succession.ts";
import type { Scenario } from "./scenario.ts";
import { SeededRandom } from "./seeded-random.ts";
import { Workload } from "./workload.ts";
import { World, type WorldMetrics } from "./world.ts";

const REST_LOOK_MS = 1_000;
const DISK_MIB = 65_536;

/** What of a seed is run: all of it, or what was found to be enough to break it. */
export type Selection = {
  readonly seed: number;
  readonly scenario: Scenario;
  /** The only kinds of faults; undefined: those that the seed draws. */
  readonly only: readonly string[] | undefined;
  /** Episodes that do not strike, by number. */
  readonly without: readonly number[];
};

export type RunOptions = Selection & {
  readonly metrics: WorldMetrics;
  /** Given the trace, line by line. */
  readonly print?: (line: string) => void;
};

export type RunOutcome = {
  /** Of the trace; the same for every run of the seed. */
  readonly digest: string;
  /** "I1: what broke it"; empty where all is well. */
  readonly violations: readonly string[];
  readonly simulatedMs: number;
  /** Kinds of faults that were switched on, and how many episodes there were. */
  readonly kinds: readonly string[];
  readonly episodes: number;
  /** What I2 was excused for, and how often. */
  readonly excused: Readonly<Record<string, number>>;
};

/** What the programs of all worlds count on. */
export const createWorldMetrics = (): WorldMetrics => ({
  agent: createAgentMetrics(),
  coordinator: createCoordinatorMetrics(new Metrics()),
});

/** Runs one seed to its end or its first violation. */
export async function runSeed(options: RunOptions): Promise<RunOutcome> {
  const { seed, scenario, metrics, print } = options;
  const random = new SeededRandom(seed);
  const writes = new Acknowledgements();
  const vcpuMillis = 1_000 * random.integer(...scenario.vcpus);
  const { leaseMs } = scenario;
  const excused: Excused = new Map();
  const world: World = new World(
    {
      random: random.fork("world"),
      hosts: scenario.hosts,
      coordinators: scenario.coordinators,
      capacity: { vcpuMillis, memoryMib: scenario.memoryMib, diskMib: DISK_MIB },
      leaseMs,
      metrics,
      print,
    },
    [
      singleRun(),
      lease(),
      isolation(leaseMs, excused),
      capacity(),
      data(),
      succession(),
      acknowledged(writes),
      recall(),
      availability(() => world.controlTruth.reports()),
      calm(leaseMs, () => world.listenedMs()),
      brake(
        leaseMs,
        (host) => world.silentMs(host),
        () => world.controlTruth.reports(),
      ),
    ],
    [lapse(leaseMs, excused)],
  );
  const workload = new Workload({
    ...scenario,
    world,
    acknowledged: writes,
    random: random.fork("workload"),
  });
  const faults = new Faults(world, random.fork("faults"), {
    ...scenario,
    only: options.only && new Set(options.only),
    without: new Set(options.without),
  });
  faults.begin();
  world.start();
  workload.begin();
  await world.runUntil(scenario.faultsMs);
  workload.end();
  faults.heal();
  await rest(world, scenario.restMs);
  world.end();
  const { violations, timeline, trace } = world;
  return {
    digest: trace.digest(),
    violations,
    simulatedMs: timeline.nowMs,
    kinds: faults.kinds,
    episodes: faults.episodes,
    excused: Object.fromEntries(excused),
  };
}

/** I7: lets time pass until everything is as declared. */
async function rest(world: World, restMs: number): Promise<void> {
  const beganMs = world.timeline.nowMs;
  for (;;) {
    const nowMs = world.timeline.nowMs;
    await world.confirmReplaced();
    await world.runUntil(nowMs + REST_LOOK_MS);
    if (world.violations.length > 0) return;
    const waiting = world.waiting();
    const truth = world.lookAtAll();
    const open =
      waiting === undefined ? ["nobody leads"] : unsettled(truth, waiting, world.failing);
    if (open.length === 0) {
      world.trace.add(`at rest after ${Math.round(nowMs - beganMs)} ms`);
      return;
    }
    if (nowMs - beganMs < restMs) continue;
    for (const text of open) world.violate("I7", text);
    return;
  }
}
