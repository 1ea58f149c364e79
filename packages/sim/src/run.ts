/** One seed: a world in which things go wrong, then heals, and must come to rest. */
import { createAgentMetrics } from "@evm/agent";
import { createCoordinatorMetrics } from "@evm/coordinator";
import { Metrics } from "@evm/telemetry";
import { Faults } from "./faults.ts";
import { acknowledged } from "./oracles/acknowledged.ts";
import { capacity } from "./oracles/capacity.ts";
import { unsettled } from "./oracles/convergence.ts";
import { data } from "./oracles/data.ts";
import { lease } from "./oracles/lease.ts";
import { singleRun } from "./oracles/single-run.ts";
import { succession } from "./oracles/succession.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SOUND, type Variant } from "./variant.ts";
import { Workload } from "./workload.ts";
import { World, type WorldMetrics } from "./world.ts";

/** How long things go wrong. */
const FAULTS_MS = 60_000;
/**
 * How long the world may take to rest once all is well (I7): a step that failed for good is tried
 * again after a minute, guests are given half a minute to end, and a rolling update of a small
 * fleet does one after the other.
 */
const REST_MS = 300_000;
const REST_LOOK_MS = 1_000;

export type RunOptions = {
  readonly seed: number;
  readonly metrics: WorldMetrics;
  readonly variant?: Variant;
  /** Given the trace, line by line. */
  readonly print?: (line: string) => void;
};

export type RunOutcome = {
  readonly seed: number;
  /** Of the trace; the same for every run of the seed. */
  readonly digest: string;
  /** "I1: what broke it"; empty where all is well. */
  readonly violations: readonly string[];
  readonly simulatedMs: number;
};

/** What the programs of all worlds count on. */
export const createWorldMetrics = (): WorldMetrics => ({
  agent: createAgentMetrics(),
  coordinator: createCoordinatorMetrics(new Metrics()),
});

/** Runs one seed to its end or its first violation. */
export async function runSeed(options: RunOptions): Promise<RunOutcome> {
  const { seed, metrics, variant = SOUND, print } = options;
  const random = new SeededRandom(seed);
  const writes = () => workload.acknowledged();
  const vcpuMillis = 1_000 * random.integer(6, 12);
  const world = new World(
    {
      random: random.fork("world"),
      hosts: 3,
      coordinators: 2,
      capacity: { vcpuMillis, memoryMib: 16_384, diskMib: 65_536 },
      variant,
      metrics,
      print,
    },
    [singleRun(), lease(), capacity(), data(), succession(), acknowledged(writes)],
  );
  const workload = new Workload({ world, random: random.fork("workload"), maxReplicas: 4 });
  const faults = new Faults(world, random.fork("faults"));
  faults.begin();
  world.start();
  workload.begin();
  await world.runUntil(FAULTS_MS);
  workload.end();
  faults.heal();
  await rest(world);
  const { violations, timeline, trace } = world;
  const outcome = { seed, digest: trace.digest(), violations, simulatedMs: timeline.nowMs };
  world.end();
  return outcome;
}

/** I7: lets time pass until everything is as declared. */
async function rest(world: World): Promise<void> {
  const beganMs = world.timeline.nowMs;
  for (;;) {
    const nowMs = world.timeline.nowMs;
    await world.runUntil(nowMs + REST_LOOK_MS);
    if (world.violations.length > 0) return;
    const waiting = world.waiting();
    const open = waiting === undefined ? ["nobody leads"] : unsettled(world.truth(), waiting);
    if (open.length === 0) {
      world.trace.add(`at rest after ${Math.round(nowMs - beganMs)} ms`);
      return;
    }
    if (nowMs - beganMs < REST_MS) continue;
    for (const text of open) world.violate("I7", text);
    return;
  }
}
