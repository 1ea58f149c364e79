/**
 * What breaks on a rack, and how EVM recovers; each test finds what the ones before it left. All
 * the while somebody changes fleets, and an eye sees what really runs on every host.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, natsServer, root, wallClock } from "../support/requires.ts";
import { run } from "../support/run.ts";
import type { Alive } from "../support/world/eye.ts";
import type { HostNode } from "../support/world/parts.ts";
import type { Chaos } from "./support/chaos.ts";
import { chaosOn } from "./support/chaos-on.ts";
import { streamLeader } from "./support/nats-streams.ts";
import { ordersIn } from "./support/orders.ts";
import { RACK } from "./support/scenes.ts";

/** A lease of 6 s, a margin of 1.5 s, and 2.5 s to plan, order and start. */
const LOST_HOST_BOUND_MS = 10_000;
/** Before the lease ends. */
const ISOLATION_BOUND_MS = 6_000;
const TAKEOVER_BOUND_MS = 3_000;
/** NATS takes 4 to 8 s to replace the leader of a stream that was killed. */
const STREAM_BOUND_MS = 10_000;
/** Longer than a lease, and than a coordinator waits for anything. */
const OUTAGE_MS = 20_000;
/** Long enough for something to go wrong that must not. */
const QUIET_MS = 3_000;
/** After a lease was renewed a second ago, too short for it to end. */
const SHORT_FREEZE_MS = 2_000;
/** A start that failed for want of room is tried again up to so much later. */
const FULL_DISK_BOUND_MS = 15_000;
const HOUR_S = 3_600;
/** What Docker has begun by then, and has not brought up, it cannot. */
const STUCK_MS = 1_000;

describeIf([root, docker, natsServer, wallClock], "a rack on which things break", () => {
  let chaos: Chaos;

  chaosOn(RACK, (started) => {
    chaos = started;
  });

  const isRunning = (instances: readonly string[]): true | undefined => {
    const running = new Set(chaos.eye.alive().map(({ instance }) => instance));
    return instances.every((instance) => running.has(instance)) ? true : undefined;
  };

  const includes = (all: readonly string[], some: readonly string[]): true | undefined =>
    some.every((one) => all.includes(one)) ? true : undefined;

  const epoch = async (): Promise<number> =>
    Math.max(...(await chaos.client.statuses()).map((status) => Number(status.epoch)), 0);

  const anotherLeads = (what: string, boundMs: number, sinceMs: number, before: number) =>
    chaos.measure(what, boundMs, sinceMs, async () =>
      (await epoch()) > before ? true : undefined,
    );

  const dockerOn = (host: HostNode, ...words: readonly string[]): Promise<string> =>
    run("docker", "--host", `unix://${host.dockerSocket}`, ...words);

  /** One of a fleet's containers is killed behind EVM's back; it shall run again. */
  const crashOne = async (fleet: string, what: string): Promise<void> => {
    const host = chaos.hostOf(fleet);
    const victim = chaos.oneOn(host, fleet);
    await dockerOn(host, "kill", victim.id);
    await chaos.runsAgain(what, 500, victim);
  };

  test("a container that crashes runs again at once", async () => {
    for (let trial = 0; trial < 3; trial++) await crashOne("web", "a crashed container runs again");
  });

  test("an agent is killed, and the next one adopts what runs", async () => {
    const before = chaos.lives("web", "exam", "data");
    const { agent } = chaos.hostOf("web");
    await agent.kill();
    await agent.start();
    await delay(QUIET_MS);
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
  });

  test("a start that outlives its agent is over before its instance begins elsewhere", async () => {
    const host = chaos.hostOf("exam");
    const victim = await breakOffStart(host, "exam");
    await host.agent.start();
    await drain(host);
    await delay(2 * QUIET_MS);
    expect(chaos.besides(host, "exam")).not.toContain(victim.instance);
    host.containerd.thaw();
    await chaos.measure("elsewhere after a start that was stuck", 15_000, performance.now(), () =>
      includes(chaos.besides(host, "exam"), [victim.instance]),
    );
    await chaos.evm("undrain", host.name);
  });

  test("an agent freezes for less than its lease, and nothing comes of it", async () => {
    const before = chaos.lives("web", "exam", "data");
    const { agent } = chaos.hostOf("web");
    agent.freeze();
    await delay(SHORT_FREEZE_MS);
    agent.thaw();
    await delay(QUIET_MS);
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
  });

  test("a host loses its power: what shall restart runs elsewhere, the rest waits", async () => {
    const host = chaos.hostOf("data");
    const [web, exam, data] = ["web", "exam", "data"].map((fleet) => chaos.on(host, fleet));
    const kept = await containersOf(host);
    const sinceMs = performance.now();
    await host.machine.powerOff();
    await chaos.measure("a dead host's instances run elsewhere", LOST_HOST_BOUND_MS, sinceMs, () =>
      isRunning([...(web ?? []), ...(exam ?? [])]),
    );
    expect(chaos.alive("data").filter(({ instance }) => data?.includes(instance))).toEqual([]);
    const { id } = await chaos.leader();
    const waiting = await chaos.client.instances("data", id);
    for (const { reason } of waiting.filter(({ name }) => data?.includes(name))) {
      expect(reason).toContain("its host is lost");
    }

    await chaos.heal("everything runs after a dead host came back");
    // Nothing was destroyed, and what had waited goes on with the disk that it had.
    expect(await containersOf(host)).toEqual(expect.arrayContaining([...kept]));
    expect(chaos.on(host, "data")).toEqual(data);
  });

  test("a host is cut off: it keeps what it shall keep, and stops what it shall stop", async () => {
    const host = chaos.hostOf("exam");
    const [web, exam, data] = ["web", "exam", "data"].map((fleet) => chaos.on(host, fleet));
    const sinceMs = performance.now();
    await host.machine.cut();
    await chaos.measure("a host cut off stops what it shall", ISOLATION_BOUND_MS, sinceMs, () =>
      chaos.on(host, "exam").length === 0 ? true : undefined,
    );
    await chaos.measure("its instances run elsewhere", LOST_HOST_BOUND_MS, sinceMs, () =>
      includes(
        [...chaos.besides(host, "web"), ...chaos.besides(host, "exam")],
        [...(web ?? []), ...(exam ?? [])],
      ),
    );
    expect(chaos.on(host, "web")).toEqual(web);
    expect(chaos.on(host, "data")).toEqual(data);

    const mendedAtMs = performance.now();
    await host.machine.mend();
    await chaos.measure("older incarnations are stopped after a cut", 10_000, mendedAtMs, () =>
      chaos.on(host, "web").length === 0 ? true : undefined,
    );
    expect(chaos.on(host, "data")).toEqual(data);
  });

  for (const direction of ["incoming", "outgoing"] as const) {
    test(`a host is cut off one way (${direction}), and counts as lost all the same`, async () => {
      const host = chaos.hostOf("exam");
      const exam = chaos.on(host, "exam");
      const sinceMs = performance.now();
      await host.machine.cut({ direction });
      await chaos.measure(`elsewhere, ${direction} cut`, LOST_HOST_BOUND_MS, sinceMs, () =>
        includes(chaos.besides(host, "exam"), exam),
      );
    });
  }

  test("an agent freezes for longer than its lease, and stops what runs twice", async () => {
    const host = chaos.hostOf("exam");
    const exam = chaos.on(host, "exam");
    const sinceMs = performance.now();
    host.agent.freeze();
    await chaos.measure(
      "a frozen host's instances run elsewhere",
      LOST_HOST_BOUND_MS,
      sinceMs,
      () => includes(chaos.besides(host, "exam"), exam),
    );
    const thawedAtMs = performance.now();
    host.agent.thaw();
    await chaos.measure("it stops them when it wakes", 3_000, thawedAtMs, () =>
      chaos.on(host, "exam").length === 0 ? true : undefined,
    );
    chaos.excuse(host, sinceMs);
  });

  test("dockerd is killed, and its containers run again under the next one", async () => {
    const host = chaos.hostOf("web");
    await host.dockerd.kill();
    const sinceMs = performance.now();
    await host.dockerd.start();
    await chaos.settled("everything runs after dockerd was killed", sinceMs, 10_000);
  });

  test("a leader is killed, and another one commits", async () => {
    for (let trial = 0; trial < 3; trial++) {
      const leader = await chaos.leader();
      const before = await epoch();
      const sinceMs = performance.now();
      await leader.coordinator.kill();
      await anotherLeads("another leads after a kill", TAKEOVER_BOUND_MS, sinceMs, before);
      await leader.coordinator.start();
    }
  });

  test("a leader freezes, another one leads, and the first commits nothing on waking", async () => {
    const leader = await chaos.leader();
    const before = await epoch();
    const sinceMs = performance.now();
    leader.coordinator.freeze();
    await anotherLeads("another leads after a freeze", TAKEOVER_BOUND_MS, sinceMs, before);
    const asleep = await ordersIn(chaos.world);
    leader.coordinator.thaw();
    await delay(QUIET_MS);
    const awake = await ordersIn(chaos.world);
    const changed = Object.entries(awake).filter(
      ([host, { generation }]) => generation !== asleep[host]?.generation,
    );
    for (const [host, orders] of changed) {
      expect(orders.epoch, `who wrote the orders of ${host}`).toBeGreaterThan(before);
    }
    expect((await chaos.leader()).id).not.toBe(leader.id);
  });

  for (const direction of ["incoming", "outgoing"] as const) {
    test(`a leader is cut off one way (${direction}), and another one leads`, async () => {
      const leader = await chaos.leader();
      const before = await epoch();
      const sinceMs = performance.now();
      await leader.machine.cut({ direction });
      const what = `another leads, ${direction} cut`;
      await anotherLeads(what, STREAM_BOUND_MS, sinceMs, before);
    });
  }

  test("a coordinator that is cut off from NATS acknowledges nothing from memory", async () => {
    const [near, far] = chaos.world.coordinators;
    if (near === undefined || far === undefined) throw new Error("there are too few coordinators");
    await far.machine.cut({ from: chaos.world.nats.map(({ machine }) => machine) });
    const size = chaos.sizeOf("web");
    const grown = await chaos.client.scale("web", size + 1, near.id);
    expect(grown.outcome).toMatchObject({ kind: "ok" });
    // It remembers that size, and must not take it for what is.
    const shrunk = await chaos.client.scale("web", size, far.id);
    expect(shrunk.outcome).toMatchObject({ kind: "unknown" });
    await chaos.client.resize("web", size);
  });

  test("the NATS server that leads the state is killed, and another one takes over", async () => {
    const victim = await eventually("control is led", () =>
      streamLeader(chaos.world.nats, "KV_control"),
    );
    const before = chaos.lives("web", "exam", "data");
    const sinceMs = performance.now();
    await victim.server.kill();
    await chaos.measure(
      "a write goes through without that server",
      STREAM_BOUND_MS,
      sinceMs,
      acknowledged,
    );
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
  });

  test("NATS is gone for a while: only what shall stops, crashes are healed", async () => {
    const before = chaos.lives("data");
    const web = chaos.alive("web").map(({ instance, incarnation }) => [instance, incarnation]);
    await Promise.all(chaos.world.nats.map(({ server }) => server.kill()));
    const sinceMs = performance.now();
    await crashOne("web", "a crashed container runs again without NATS");
    await chaos.measure(
      "what shall not run without a lease stops",
      ISOLATION_BOUND_MS,
      sinceMs,
      () => (chaos.alive("exam").length === 0 ? true : undefined),
    );
    await delay(sinceMs + OUTAGE_MS - performance.now());
    expect(chaos.lives("data")).toEqual(before);
    const backAtMs = performance.now();
    await Promise.all(chaos.world.nats.map(({ server }) => server.start()));
    await chaos.measure(
      "a write goes through after NATS came back",
      STREAM_BOUND_MS,
      backAtMs,
      acknowledged,
    );
    await chaos.settled("everything runs after NATS came back", backAtMs);
    expect(chaos.lives("data")).toEqual(before);
    expect(chaos.alive("web").map(({ instance, incarnation }) => [instance, incarnation])).toEqual(
      expect.arrayContaining(web),
    );
  });

  test("a NATS server's disk is full, and the others carry on", async () => {
    const victim = await eventually("control is led", () =>
      streamLeader(chaos.world.nats, "KV_control"),
    );
    const before = chaos.lives("web", "exam", "data");
    await victim.machine.fillDisk();
    const sinceMs = performance.now();
    await chaos.measure(
      "a write goes through with a full disk",
      STREAM_BOUND_MS,
      sinceMs,
      acknowledged,
    );
    await delay(QUIET_MS);
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
  });

  test("the disks of all NATS servers are full: nothing is lost, and room heals it", async () => {
    const { nats } = chaos.world;
    const before = chaos.lives("data");
    const web = chaos.alive("web").map(({ instance, incarnation }) => [instance, incarnation]);
    await Promise.all(nats.map(({ machine }) => machine.fillDisk()));
    const sinceMs = performance.now();
    await chaos.measure("writes are no longer acknowledged", OUTAGE_MS, sinceMs, async () =>
      (await acknowledged()) === undefined ? true : undefined,
    );
    await crashOne("web", "a crashed container runs again with NATS' disks full");
    await delay(sinceMs + OUTAGE_MS - performance.now());
    expect(chaos.lives("data")).toEqual(before);
    const backAtMs = performance.now();
    await chaos.world.heal();
    const what = "a write goes through after NATS' disks have room";
    await chaos.measure(what, STREAM_BOUND_MS, backAtMs, acknowledged);
    await chaos.settled("everything runs after NATS' disks have room", backAtMs);
    expect(chaos.lives("data")).toEqual(before);
    expect(chaos.alive("web").map(({ instance, incarnation }) => [instance, incarnation])).toEqual(
      expect.arrayContaining(web),
    );
  });

  test("a host's disk is full: what runs there goes on, and room heals the rest", async () => {
    const host = chaos.hostOf("web");
    const before = chaos.lives("web", "exam", "data");
    await host.machine.fillDisk();
    await host.agent.kill();
    await host.agent.launch();
    await delay(QUIET_MS);
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
    // Docker cannot write its end down, and lists it as running ever after.
    const victim = chaos.oneOn(host, "web");
    await dockerOn(host, "kill", victim.id);
    await delay(QUIET_MS);
    await chaos.world.heal();
    const what = "what crashed on a full disk runs once there is room";
    await chaos.runsAgain(what, FULL_DISK_BOUND_MS, victim);
  });

  test("wall clocks step by an hour, and nothing comes of it", async () => {
    const before = chaos.lives("web", "exam", "data");
    const leader = await chaos.leader();
    await leader.clock.step(HOUR_S);
    await chaos.world.hosts[0]?.clock.step(-HOUR_S);
    await chaos.world.hosts[1]?.clock.step(HOUR_S);
    await delay(2 * QUIET_MS);
    expect(chaos.lives("web", "exam", "data")).toEqual(before);
    expect((await chaos.leader()).id).toBe(leader.id);
  });

  test("everything loses its power at once, and everything comes back", async () => {
    await chaos.world.powerOff();
    expect(chaos.eye.alive()).toEqual([]);
    const sinceMs = performance.now();
    await chaos.world.powerOn();
    await chaos.settled("everything runs after a power cut of all", sinceMs, 30_000);
  });

  test("no acknowledged write was lost, and nothing ran that should not", async () => {
    const breaches = await chaos.verdict();
    expect(breaches).toEqual([]);
  });

  const acknowledged = async (): Promise<true | undefined> =>
    (await chaos.isAcknowledged()) ? true : undefined;

  /**
   * Kills an agent while it starts what has crashed, and lets Docker get no further: what it is to
   * start exists, does not run, and will.
   */
  const breakOffStart = async (host: HostNode, fleet: string): Promise<Alive> => {
    return await eventually(`a start on ${host.name} is broken off`, async () => {
      await chaos.settled("everything runs before a start is broken off");
      const victim = chaos.oneOn(host, fleet);
      await dockerOn(host, "kill", victim.id);
      host.containerd.freeze();
      await host.agent.kill();
      await delay(STUCK_MS);
      if (!chaos.on(host, fleet).includes(victim.instance)) return victim;
      host.containerd.thaw();
      await host.agent.start();
      return undefined;
    });
  };

  /** Has a host drained, and confirms how many instances that moves. */
  const drain = async ({ name }: HostNode): Promise<void> => {
    let confirmation: readonly string[] = [];
    await eventually(`${name} is draining`, async () => {
      try {
        await chaos.evm("drain", name, ...confirmation);
        return true;
      } catch (error) {
        const [option, count] = /(--confirm) (\d+)/.exec(String(error))?.slice(1) ?? [];
        if (option === undefined || count === undefined) throw error;
        confirmation = [option, count];
        return undefined;
      }
    });
  };

  /** Ids of the scenarios' containers there, running or not. */
  const containersOf = async (host: HostNode): Promise<readonly string[]> => {
    const listed = await dockerOn(
      host,
      "ps",
      "--all",
      "--quiet",
      "--filter",
      "label=evm.fleet=data",
    );
    return listed.trim().split("\n").sort();
  };
});
