import { createFakeDriver, type Driver, FakeRuntime } from "@evm/drivers";
import { createLog, ManualClock, untilAborted } from "@evm/telemetry";
import { expect, test } from "vitest";
import { FLEET, TEMPLATES, web } from "./agent-world.testing.ts";
import { Lister } from "./lister.ts";
import { createAgentMetrics } from "./metrics.ts";

/** The driver, as it is where nothing tells of changes: a text on a VM's console makes no event. */
const silent = (driver: Driver): Pick<Driver, "kind" | "list" | "watch"> => ({
  kind: driver.kind,
  list: (signal) => driver.list(signal),
  watch: (_onChange, signal) => untilAborted(signal),
});

test("what is up and not ready yet is looked at often, and no longer", async () => {
  const clock = new ManualClock();
  const program = () => ({ readyAfterMs: 3_000 });
  const runtime = new FakeRuntime({ clock, random: () => 0.5, program });
  const driver = createFakeDriver({ kind: "vm", runtime });
  const end = new AbortController();
  const { signal } = end;
  const { digest, template, image } = TEMPLATES.vm;
  const spec = { ...web(0), index: 0, templateDigest: digest, template, image };
  const { lister, listings } = listerOf({ ...driver, ...silent(driver) }, clock);
  const running = lister.run(signal);
  await driver.prepare({ ...spec, fleet: FLEET.name }, { signal, onProgress() {} });
  await driver.start(spec, signal);
  lister.refresh();
  await clock.advance(3_500);
  expect(lister.latest.instances.map(({ state }) => state)).toEqual(["ready"]);
  const before = listings();
  await clock.advance(20_000);
  expect(listings() - before).toBeLessThan(6);
  end.abort();
  await running.catch(() => undefined);
});

test("the longer nothing changes the less it lists, until a watch breaks off", async () => {
  const clock = new ManualClock();
  const runtime = new FakeRuntime({ clock, random: () => 0.5 });
  const driver = createFakeDriver({ kind: "container", runtime });
  let breakOff = Promise.withResolvers<never>();
  const watched = { ...driver, ...silent(driver), watch: () => breakOff.promise };
  const { lister, listings } = listerOf(watched, clock);
  const end = new AbortController();
  const running = lister.run(end.signal);
  const listedIn = async (ms: number) => {
    const before = listings();
    await clock.advance(ms);
    return listings() - before;
  };
  // After 0, 5, 15, 35 and 75 s, and every 40 s.
  expect(await listedIn(80_000)).toBe(5);
  expect(await listedIn(400_000)).toBe(10);
  breakOff.reject(new Error("the daemon is gone"));
  expect(await listedIn(1_000)).toBe(1);
  // Each attempt to watch fails, too.
  expect(await listedIn(40_000)).toBe(20);
  breakOff = Promise.withResolvers();
  await clock.advance(2_000);
  expect(await listedIn(400_000)).toBeLessThan(15);
  end.abort();
  breakOff.reject(end.signal.reason);
  await running.catch(() => undefined);
});

function listerOf(driver: Driver, clock: ManualClock) {
  let count = 0;
  const lister = new Lister({
    driver,
    clock,
    log: createLog({ program: "t", level: "error", format: "text", write() {}, now: clock.now }),
    metrics: createAgentMetrics(),
    onListed: () => count++,
  });
  return { lister, listings: () => count };
}
