import { expect, test } from "vitest";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import * as machine from "./support/footprint.ts";
import { Program } from "./support/program.ts";

/** Six emulated VMs and eight containers, on a machine that may be busy. */
const DEMO_TIMEOUT_MS = 300_000;

describeIf([root, libvirt, docker, natsServer, guest], "the demo", () => {
  test(
    "ends well by itself, shows all ready and one healed, and leaves nothing behind",
    async () => {
      await using demo = new Program({
        command: process.execPath,
        arguments: ["scripts/demo.ts", "--once"],
      });
      const code = await demo.ended;
      expect(code, demo.output).toBe(0);
      const [, owner = ""] = /^(dev-\d+) /m.exec(demo.output) ?? [];
      expect(owner).not.toBe("");

      const shown = demo.lines.filter((line) => /^school-\S+ +(vm|container) .* ready /.test(line));
      const ready = Map.groupBy(shown, (line) => line.split(" ")[0]);
      expect(ready.size).toBe(14);
      expect(demo.output).toMatch(/^school-linux-0000 is ready again/m);

      const [, folder = ""] = /data (\/\S+)$/m.exec(demo.output) ?? [];
      expect(await machine.virsh("list", "--all", "--name")).not.toMatch(/^school-/m);
      const filter = `label=evm.owner=${owner}`;
      expect(await machine.docker("ps", "-aq", "--filter", filter)).toBe("");
      await expect(machine.run("ls", folder)).rejects.toThrow("No such file");
    },
    DEMO_TIMEOUT_MS,
  );
});
