/**
 * What breaks on a rack, and how EVM recovers; each test finds what the ones before it left. All
 * the while somebody changes fleets, and an eye sees what really runs on every host.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeIf, docker, natsServer, root, wallClock } from "../support/requires.ts";
import { Chaos } from "./support/chaos.ts";

/** Of what the one who changes fleets does. */
const SEED = 1;

describeIf([root, docker, natsServer, wallClock], "a rack on which things break", () => {
  let chaos: Chaos;

  beforeAll(async () => {
    chaos = await Chaos.start(SEED);
  });
  afterAll(async () => {
    console.log(chaos.measurements.describe());
    await chaos[Symbol.asyncDispose]();
  });

  test("a leader is killed, and another one commits", async () => {
    for (let trial = 0; trial < 3; trial++) {
      const leader = await chaos.leader();
      const before = await epochOf(chaos);
      const sinceMs = performance.now();
      await leader.coordinator.kill();
      await chaos.measurements.measure(
        { what: "another coordinator leads", boundMs: 3_000, sinceMs },
        async () => ((await epochOf(chaos)) > before ? true : undefined),
      );
      await leader.coordinator.start();
    }
  });

  test("a host loses its power: what shall restart runs elsewhere, the rest waits", async () => {
    const host = chaos.hostOf("web");
    const lost = chaos.eye.alive().filter((one) => one.host === host.name);
    const sinceMs = performance.now();
    await host.machine.powerOff();
    await chaos.measurements.measure(
      { what: "a lost host's instances run elsewhere", boundMs: 10_000, sinceMs },
      () => {
        const running = new Set(chaos.eye.alive().map(({ instance }) => instance));
        const moved = lost.filter(({ fleet }) => fleet === "web" || fleet === "exam");
        return moved.every(({ instance }) => running.has(instance)) ? true : undefined;
      },
      () => chaos.eye.alive(),
    );
    await chaos.world.heal();
    await chaos.settled("everything runs after a host came back");
  });

  test("no acknowledged write was lost, and nothing ran that should not", async () => {
    const breaches = await chaos.verdict();
    expect(breaches, chaos.describe()).toEqual([]);
  });
});

/** The newest that any coordinator knows. */
const epochOf = async (chaos: Chaos): Promise<number> =>
  Math.max(...(await chaos.client.statuses()).map(({ epoch }) => Number(epoch)), 0);
