/** Two machines that call themselves by one name, as clones of one machine's image do. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Evm } from "../e2e/support/evm.ts";
import { containers } from "../e2e/support/fleets.ts";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, natsServer, root, wallClock } from "../support/requires.ts";
import { Eye } from "../support/world/eye.ts";
import type { HostNode } from "../support/world/parts.ts";
import { createWorld, type World } from "../support/world/world.ts";

const NAME = "twin";
/** A lease, a margin, the footing of a leader that is new, and as long again for a slow machine. */
const TAKEOVER_PATIENCE_MS = 31_000;
/** A lease and a margin: before that nobody takes over. */
const LOST_AFTER_MS = 7_500;
/** Long enough for two passes of whoever should not act. */
const QUIET_MS = 10_000;

const FLEETS = [
  { ...containers({ name: "web", replicas: 2 }), onHostLoss: "restart", onIsolation: "keep" },
  { ...containers({ name: "exam", replicas: 2 }), onHostLoss: "restart", onIsolation: "stop" },
  { ...containers({ name: "data", replicas: 2 }), onHostLoss: "wait", onIsolation: "stop" },
];

describeIf([root, docker, natsServer, wallClock], "two machines of one name", () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let eye: Eye;
  let evm: Evm;
  /** Which of them is the host, and which is refused. */
  let first: HostNode;
  let second: HostNode;

  beforeAll(async () => {
    const options = { hosts: 2, coordinators: 1, agentSettings: { host: NAME } };
    world = resources.use(await createWorld(options));
    eye = resources.use(new Eye(world.hosts));
    evm = new Evm(world.coordinators[0]?.api ?? "");
  });
  afterAll(() => resources.disposeAsync());

  const instancesOn = (host: HostNode): readonly string[] =>
    eye
      .alive()
      .flatMap((one) => (one.host === host.name ? [one.instance] : []))
      .sort();

  /** Changes with every start. */
  const webOn = (host: HostNode): readonly number[] =>
    eye.alive().flatMap((one) => (one.host === host.name && one.fleet === "web" ? one.pid : []));

  const all = ["data", "exam", "web"].flatMap((fleet) => [`${fleet}-0000`, `${fleet}-0001`]);

  test("exactly one runs what is ordered, and a person is told of the other", async () => {
    await evm.apply(...FLEETS);
    const hosts = new Set(eye.alive().map(({ host }) => host));
    expect(hosts.size).toBe(1);
    const [one, other] = world.hosts.toSorted((a) => (hosts.has(a.name) ? -1 : 1));
    if (one === undefined || other === undefined) throw new Error("there are two machines");
    [first, second] = [one, other];
    await delay(QUIET_MS);
    expect([instancesOn(first), instancesOn(second)]).toEqual([all, []]);
    expect((await evm.hosts()).map(({ name, liveness }) => [name, liveness])).toEqual([
      [NAME, "LIVENESS_UP"],
    ]);
    const id = (await second.machine.run("cat", `${second.machine.disk}/agent/agent-id`)).trim();
    expect(await evm.ok(["hosts"])).toContain(`agent ${id} is refused`);
    expect(await evm.ok(["status"])).toContain(`${NAME}: agent ${id} is refused until`);
    const events = await evm.ok(["events", "-n", "1000"]);
    expect(events.match(/HostNameTaken/g)).toHaveLength(1);
    expect(events).toContain(`this is ${id}: another machine has the name of this host`);
  });

  test("the next leader refuses the same one", async () => {
    await world.coordinators[0]?.coordinator.kill();
    await world.coordinators[0]?.coordinator.start();
    await delay(QUIET_MS);
    expect([instancesOn(first), instancesOn(second)]).toEqual([all, []]);
    expect(await evm.ok(["status"])).toContain("is refused until");
  });

  test("once the first is lost, and not before, the other takes over", async () => {
    const sinceMs = performance.now();
    await first.machine.powerOff();
    const isTakenOver = () => (instancesOn(second).length > 0 ? true : undefined);
    await eventually("something runs on the other", isTakenOver, {
      patienceMs: TAKEOVER_PATIENCE_MS,
    });
    const beganAfterMs = performance.now() - sinceMs;
    console.log(`the other machine runs something after ${Math.round(beganAfterMs)} ms`);
    expect(beganAfterMs).toBeGreaterThan(LOST_AFTER_MS - 1_000);
    await eventually("all runs on the other", () => {
      return instancesOn(second).join() === all.join() ? true : undefined;
    });
    expect(await evm.ok(["events", "-n", "1000"])).toContain("HostReplaced");
    expect(await evm.ok(["status"])).not.toContain("is refused until");
  });

  test("the first is refused when it is back, and starts nothing that needs a lease", async () => {
    await first.machine.powerOn();
    for (const service of [first.containerd, first.dockerd, first.agent]) await service.start();
    await eventually("the first is told of as refused", async () => {
      return (await evm.ok(["status"])).includes("is refused until") ? true : undefined;
    });
    await delay(QUIET_MS);
    expect(instancesOn(second)).toEqual(all);
    expect(instancesOn(first).filter((name) => !name.startsWith("web"))).toEqual([]);
  });

  test("a machine whose agent lost its files adopts what it runs", async () => {
    await first.machine.powerOff();
    const web = webOn(second);
    const { agent, machine } = second;
    await agent.kill();
    await machine.run("rm", "-rf", `${machine.disk}/agent`);
    await agent.start();
    const isTakenIn = async () => {
      const events = await evm.ok(["events", "-n", "1000"]);
      return events.match(/HostReplaced/g)?.length === 2 ? true : undefined;
    };
    await eventually("it is the host again", isTakenIn, { patienceMs: TAKEOVER_PATIENCE_MS });
    await delay(QUIET_MS);
    expect(webOn(second)).toEqual(web);
    // What needs a lease was started again when there was one, as it stood.
    const instances = await evm.instances();
    expect(instances.map(({ phase, incarnation }) => [phase, incarnation])).toEqual(
      all.map(() => ["PHASE_READY", 1]),
    );
  });
});
