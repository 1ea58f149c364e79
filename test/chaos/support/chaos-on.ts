/** Starts a scene before the scenarios of a suite, heals it after each, shows what was measured. */
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { Chaos, type Scene } from "./chaos.ts";

/** Of what the one who changes fleets does. */
const SEED = 1;

/** @param onStart is given the scene before the first scenario */
export function chaosOn(scene: Scene, onStart: (chaos: Chaos) => void): void {
  let chaos: Chaos;
  beforeAll(async () => {
    chaos = await Chaos.start(SEED, scene);
    onStart(chaos);
  });
  beforeEach(({ task }) => chaos.note(task.name));
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") console.log(`see ${await chaos.keepLogs()}`);
    chaos.note("all faults end");
    await chaos.heal("everything runs after a scenario");
  });
  afterAll(async () => {
    console.log(chaos.measurements.describe());
    await chaos[Symbol.asyncDispose]();
  });
}
