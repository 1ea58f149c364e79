/** The loss of everything that NATS kept, and the way back. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, natsServer, root } from "../support/requires.ts";
import { documents } from "./support/evm.ts";
import { containers } from "./support/fleets.ts";
import { Footprint } from "./support/footprint.ts";
import { Parts } from "./support/parts.ts";

const EXPORT_INTERVAL_MS = 1_000;

describeIf([root, docker, natsServer], "a cluster whose NATS lost all data", () => {
  const resources = new AsyncDisposableStack();
  let footprint: Footprint;
  let parts: Parts;
  let web = "";
  let file = "";
  let exports = "";
  /** The containers before the loss. */
  let before: Awaited<ReturnType<Footprint["containers"]>> = [];

  beforeAll(async () => {
    footprint = resources.use(await Footprint.make("loss"));
    web = footprint.fleet("web");
    file = join(footprint.folder, "cluster.yaml");
    exports = join(footprint.folder, "exports");
    const pool = await footprint.subfolder("pool");
    parts = resources.use(
      await Parts.start(footprint, {
        pool,
        settings: { drivers: ["container"] },
        coordinator: { export: { path: exports, intervalMs: EXPORT_INTERVAL_MS } },
      }),
    );
  });
  afterAll(() => resources.disposeAsync());

  test("is exported while it is well, by hand and by itself", async () => {
    await parts.evm.apply(containers({ name: web, replicas: 2 }));
    await parts.evm.ok(["export", "-o", file]);
    await parts.evm.scale(web, 3);
    await eventually("an export was written", async () =>
      (await readdir(exports).catch(() => [])).find((name) => name.endsWith(".yaml")),
    );
    before = await footprint.containers();
    expect(before).toHaveLength(3);
  });

  test("stops nothing, plans nothing, says so, and takes no orders but a restore", async () => {
    await parts.coordinator.end("SIGKILL");
    await parts.nats.stop();
    await parts.nats.loseData();
    await parts.nats.start();
    await parts.startCoordinator();
    const { evm } = parts;
    await eventually("evm status names evm restore", async () => {
      const status = await evm.ok(["status"]);
      return /warning: the control state is older.*evm restore/.test(status) ? true : undefined;
    });
    const refused = await evm.run(["apply", "-f", "-"], documents(containers({ name: web })));
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("evm restore")]);
    expect(await footprint.containers()).toEqual(before);
  });

  test("is managed again after a restore, and nothing was restarted", async () => {
    const { evm } = parts;
    const written = await evm.ok(["restore", "-f", file]);
    expect(written).toMatch(new RegExp(`${web} +the export +3 +3`));
    expect(written).toContain("2 replicas were kept, and instances up to 3 are ordered");
    await evm.scale(web, 4);
    const after = await footprint.containers();
    expect(after.filter(({ instance }) => instance !== `${web}-0003`)).toEqual(before);
    expect(after).toHaveLength(4);
    const instances = await evm.instances();
    expect(instances.map(({ incarnation, restarts }) => [incarnation, restarts])).toEqual([
      ...before.map(() => [1, 0]),
      // Above all that was ordered before, known or not.
      [100_001, 0],
    ]);
    await evm.delete(web);
    expect(await footprint.containers()).toEqual([]);
  });
});
