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
  let listings = 0;
  const lister = new Lister({
    driver: { ...driver, ...silent(driver) },
    clock,
    log: createLog({ program: "t", level: "error", format: "text", write() {}, now: clock.now }),
    metrics: createAgentMetrics(),
    onListed: () => listings++,
  });
  const running = lister.run(signal);
  await driver.prepare({ ...spec, fleet: FLEET.name }, { signal, onProgress() {} });
  await driver.start(spec, signal);
  lister.refresh();
  await clock.advance(3_500);
  expect(lister.latest.instances.map(({ state }) => state)).toEqual(["ready"]);
  const before = listings;
  await clock.advance(20_000);
  expect(listings - before).toBeLessThan(6);
  end.abort();
  await running.catch(() => undefined);
});
