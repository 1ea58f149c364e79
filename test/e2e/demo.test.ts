import { expect, test } from "vitest";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import { run } from "../support/run.ts";
import * as machine from "./support/footprint.ts";
import { Program } from "./support/program.ts";

/** Six emulated VMs and eight containers, on a machine that may be busy. */
const DEMO_TIMEOUT_MS = 300_000;

const startDemo = (...words: readonly string[]): Program =>
  new Program({ command: process.execPath, arguments: ["scripts/demo.ts", ...words] });

/** Asked of libvirt, Docker and the file system. */
async function expectNothingLeft({ output }: Program): Promise<void> {
  const [, folder = ""] = /data (\/\S+)$/m.exec(output) ?? [];
  const [owner = ""] = /^dev-\d+(?= )/m.exec(output) ?? [];
  expect(owner, output).not.toBe("");
  expect(await machine.virsh("list", "--all", "--name")).not.toMatch(/^school-/m);
  const filter = `label=evm.owner=${owner}`;
  expect(await machine.docker("ps", "-aq", "--filter", filter)).toBe("");
  await expect(run("ls", folder)).rejects.toThrow("No such file");
}

describeIf([root, libvirt, docker, natsServer, guest], "the demo", () => {
  test(
    "ends well by itself, shows all ready and one healed, and leaves nothing behind",
    async () => {
      await using demo = startDemo("--once");
      const code = await demo.ended;
      expect(code, demo.output).toBe(0);
      const shown = demo.lines.filter((line) => /^school-\S+ +(vm|container) .* ready /.test(line));
      const ready = Map.groupBy(shown, (line) => line.split(" ")[0]);
      expect(ready.size).toBe(14);
      expect(demo.output).toMatch(/^school-linux-0000 is ready again/m);
      await expectNothingLeft(demo);
    },
    DEMO_TIMEOUT_MS,
  );

  test(
    "cleans up after Ctrl-C, also while its instances are being started",
    async () => {
      await using demo = startDemo();
      await demo.said(/ [1-9]\d* starting/);
      // As a terminal sends it: to all that runs there.
      process.kill(-demo.pid, "SIGINT");
      expect(await demo.ended, demo.output).toBe(0);
      await expectNothingLeft(demo);
    },
    DEMO_TIMEOUT_MS,
  );
});
