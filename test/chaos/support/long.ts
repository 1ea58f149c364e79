/** The long form: rounds of faults from a seed, healed and looked over after each. */
import { setTimeout as delay } from "node:timers/promises";
import { SeededRandom } from "../../../packages/sim/src/seeded-random.ts";
import { Chaos, type Scene } from "./chaos.ts";
import { drawRound, type Fault, type Round } from "./faults.ts";

/** Between the beginnings of faults that break together. */
const STAGGER_MS = 1_500;
const MS_PER_MINUTE = 60_000;

/** Returns whether everything was as it shall be; says what it does, and what was not. */
export async function runLong(
  scene: Scene,
  { seed, minutes }: { readonly seed: number; readonly minutes: number },
): Promise<boolean> {
  const vms = scene.hasVms ? " --vms" : "";
  console.log(`seed ${seed}, ${minutes} minutes; the same again: --long${vms} --seed ${seed}`);
  await using chaos = await Chaos.start(seed, scene);
  const random = new SeededRandom(seed).fork("faults");
  const size = {
    nats: chaos.world.nats.length,
    coordinators: chaos.world.coordinators.length,
    hosts: chaos.world.hosts.length,
    hasVms: scene.hasVms,
  };
  const endMs = performance.now() + minutes * MS_PER_MINUTE;
  try {
    for (let number = 1; performance.now() < endMs; number++) {
      await breakAndHeal(chaos, drawRound(random, size), number);
    }
    const breaches = await chaos.verdict();
    console.log(chaos.measurements.describe());
    if (breaches.length > 0) console.log(`see ${await chaos.keepLogs()}`);
    for (const breach of breaches) console.log(`BREACH ${breach}`);
    console.log(`seed ${seed}: ${breaches.length} breaches`);
    return breaches.length === 0;
  } catch (error) {
    console.log(`see ${await chaos.keepLogs()}`);
    console.log(`seed ${seed}: did not recover:`, error);
    return false;
  }
}

async function breakAndHeal(
  chaos: Chaos,
  { faults, lastsMs }: Round,
  number: number,
): Promise<void> {
  const fromMs = performance.now();
  const names = faults.map(({ name }) => name).join("; ");
  const title = `round ${number}, ${(lastsMs / 1000).toFixed(1)} s: ${names}`;
  console.log(title);
  chaos.note(title);
  for (const fault of faults) {
    // What broke before may stand in its way: a machine that is off has no cable to cut.
    await fault.begin(chaos).catch((error: unknown) => console.log(`  ${fault.name}: ${error}`));
    await delay(STAGGER_MS);
  }
  await delay(fromMs + lastsMs - performance.now());
  chaos.note("all faults end");
  await chaos.heal("everything runs after a round");
  excuse(chaos, faults, fromMs);
}

function excuse(chaos: Chaos, faults: readonly Fault[], fromMs: number): void {
  for (const { helplessHost, isBrief } of faults) {
    if (isBrief && faults.length === 1) continue;
    const host = helplessHost === undefined ? undefined : chaos.world.hosts[helplessHost];
    if (host !== undefined) chaos.excuse(host, fromMs);
  }
}
