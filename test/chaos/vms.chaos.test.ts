/**
 * What breaks on a rack that runs VMs, by a libvirtd of each host, beside containers; and what is
 * promised of them all the same.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import type { HostNode } from "../support/world/parts.ts";
import type { Chaos } from "./support/chaos.ts";
import { chaosOn } from "./support/chaos-on.ts";
import { VM_RACK } from "./support/scenes.ts";

/** libvirt alone takes 0.9 s where QEMU emulates (measured), and more while other guests boot. */
const CRASH_BOUND_MS = 1_500;
/** A lease of 6 s, a margin of 1.5 s, and 2.5 s to plan, order, make a disk and start. */
const LOST_HOST_BOUND_MS = 10_000;
/** Before the lease ends. */
const ISOLATION_BOUND_MS = 6_000;
/** Longer than a lease. */
const FREEZE_MS = 10_000;
/** Long enough for something to go wrong that must not. */
const QUIET_MS = 3_000;

const FLEETS = ["web", "lab", "desk"] as const;

describeIf(
  [root, docker, libvirt, guest, natsServer],
  "a rack of VMs on which things break",
  () => {
    let chaos: Chaos;
    chaosOn(VM_RACK, (started) => {
      chaos = started;
    });

    const libvirtdOf = ({ name, libvirtd }: HostNode) => {
      if (libvirtd === undefined) throw new Error(`${name} has no libvirtd`);
      return libvirtd;
    };

    const includes = (all: readonly string[], some: readonly string[]): true | undefined =>
      some.every((one) => all.includes(one)) ? true : undefined;

    /** A VM of a fleet loses its QEMU; it shall run again. */
    const crashOne = async (fleet: string, what: string): Promise<void> => {
      const host = chaos.hostOf(fleet);
      const victim = chaos.oneOn(host, fleet);
      await host.machine.run("kill", "-KILL", String(victim.pid));
      await chaos.runsAgain(what, CRASH_BOUND_MS, victim);
    };

    test("a VM that crashes runs again at once", async () => {
      for (let trial = 0; trial < 3; trial++) await crashOne("lab", "a crashed VM runs again");
    });

    test("an agent is killed, and the next one adopts the VMs that run", async () => {
      const before = chaos.lives(...FLEETS);
      const { agent } = chaos.hostOf("lab");
      await agent.kill();
      await agent.start();
      await delay(QUIET_MS);
      expect(chaos.lives(...FLEETS)).toEqual(before);
    });

    test("libvirtd is killed, its VMs go on, and the next one heals what crashes", async () => {
      const before = chaos.lives(...FLEETS);
      const libvirtd = libvirtdOf(chaos.hostOf("lab"));
      await libvirtd.kill();
      await delay(QUIET_MS);
      expect(chaos.lives(...FLEETS)).toEqual(before);
      await libvirtd.start();
      await delay(QUIET_MS);
      expect(chaos.lives(...FLEETS)).toEqual(before);
      await crashOne("lab", "a crashed VM runs again after libvirtd was killed");
    });

    test("libvirtd freezes, its VMs go on, and containers beside them are healed", async () => {
      const host = chaos.hostOf("lab");
      const vms = chaos.lives("lab", "desk");
      libvirtdOf(host).freeze();
      const victim = chaos.oneOn(host, "web");
      process.kill(victim.pid, "SIGKILL");
      const what = "a crashed container runs again beside a frozen libvirtd";
      await chaos.runsAgain(what, CRASH_BOUND_MS, victim);
      await delay(FREEZE_MS);
      expect(chaos.lives("lab", "desk")).toEqual(vms);
    });

    test("a host loses its power: its VMs run elsewhere, or wait with their disks", async () => {
      const host = chaos.hostOf("lab");
      const [lab, desk] = [chaos.on(host, "lab"), chaos.on(host, "desk")];
      const sinceMs = performance.now();
      await host.machine.powerOff();
      await chaos.measure("a dead host's VMs run elsewhere", LOST_HOST_BOUND_MS, sinceMs, () =>
        includes(chaos.besides(host, "lab"), lab),
      );
      expect(chaos.besides(host, "desk").filter((one) => desk.includes(one))).toEqual([]);
      await chaos.heal("everything runs after a dead host came back");
      expect(chaos.on(host, "desk")).toEqual(desk);
    });

    test("a host is cut off: it stops the VMs that it shall, and keeps the others", async () => {
      const host = chaos.hostOf("lab");
      const [lab, desk] = [chaos.on(host, "lab"), chaos.on(host, "desk")];
      const sinceMs = performance.now();
      await host.machine.cut();
      await chaos.measure(
        "a host cut off stops the VMs that it shall",
        ISOLATION_BOUND_MS,
        sinceMs,
        () => (chaos.on(host, "lab").length === 0 ? true : undefined),
      );
      await chaos.measure("its VMs run elsewhere", LOST_HOST_BOUND_MS, sinceMs, () =>
        includes(chaos.besides(host, "lab"), lab),
      );
      expect(chaos.on(host, "desk")).toEqual(desk);
    });

    test("all lose their power at once, and what waits comes back with its disk", async () => {
      // An incarnation has one disk, on one host.
      const disks = () => chaos.alive("desk").map(({ id }) => id);
      const before = disks();
      await chaos.world.powerOff();
      expect(chaos.eye.alive()).toEqual([]);
      const sinceMs = performance.now();
      await chaos.world.powerOn();
      await chaos.settled("every VM runs after a power cut of all", sinceMs, 30_000);
      expect(disks().sort()).toEqual(before.sort());
    });

    test("no acknowledged write was lost, and nothing ran that should not", async () => {
      expect(await chaos.verdict()).toEqual([]);
    });
  },
);
