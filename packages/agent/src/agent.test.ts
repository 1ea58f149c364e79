import { expect, test } from "vitest";
import { AgentWorld, FLEET, HOST, TEMPLATES, web } from "./agent-world.testing.ts";

const stepsBegun = (world: AgentWorld): number =>
  world.log.filter((line) => line.includes("step begun")).length;

test("what is ordered is made, started and reported ready", async () => {
  await using world = new AgentWorld({ readyAfterMs: undefined });
  await world.order([{ index: 0 }, { index: 1, kind: "vm" }]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "running" });
  world.runtime.setReady(web(1), true);
  await world.clock.advance(2_000);
  expect(world.reported(web(1))).toMatchObject({ phase: "ready", kind: "vm", restarts: 0 });
  expect(world.coordinator.reports().get(HOST)).toMatchObject({
    generation: 1,
    labels: { rack: "r1" },
    capacity: { vcpuMillis: 7_000, memoryMib: 15 * 1024, diskMib: 100 * 1024 },
    drivers: [{ isUsable: true }, { isUsable: true }],
  });
});

test("an agent that is restarted adopts what runs", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  const [before] = world.runtime.instances();
  await world.stop();
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  world.cutOff();
  world.start();
  await world.clock.advance(30_000);
  expect(world.runtime.instances()).toEqual([before]);
});

test("an agent that starts while the store is away keeps alive what it was ordered", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  await world.stop();
  world.cutOff();
  world.runtime.crash(web(0));
  world.start();
  await world.clock.advance(1_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
});

test("a crashed instance is restarted at once, and the restart is counted and told", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(10_000);
  world.runtime.crash(web(0));
  await world.clock.advance(200);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await world.clock.advance(3_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "ready", restarts: 1 });
  expect(await world.events("InstanceRestarted")).toHaveLength(1);
});

test("further restarts back off, and then the instance is given up with the reason", async () => {
  await using world = new AgentWorld({ endsAfterMs: 100, exitCode: 3 });
  await world.order([{}]);
  world.start();
  await world.clock.advance(700);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
  await world.clock.advance(60_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "failed", restarts: 3 });
  expect(world.reported(web(0))?.reason).toContain("exit code 3");
  expect(await world.events("InstanceFailed")).toHaveLength(1);
});

test("what was given up stays so over a restart of the agent", async () => {
  await using world = new AgentWorld({ endsAfterMs: 100, exitCode: 3 });
  await world.order([{}]);
  world.start();
  await world.clock.advance(60_000);
  await world.stop();
  world.start();
  await world.clock.advance(60_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "failed", restarts: 3 });
});

test("what orders no longer name is stopped and kept, and only a discard removes it", async () => {
  await using world = new AgentWorld();
  await world.order([{ index: 0 }, { index: 1 }]);
  world.start();
  await world.clock.advance(3_000);
  await world.order([{ index: 1 }]);
  await world.clock.advance(60_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited", "web-0001.1": "ready" });
  await world.order([{ index: 0, desired: "discard" }, { index: 1 }]);
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0001.1": "ready" });
});

test("a stop on order is told as such, and as nothing else", async () => {
  await using world = new AgentWorld({ isStubborn: true });
  world.runtime.setDelay("list", 100);
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  await world.order([{ desired: "stop" }]);
  await world.clock.advance(20_000);
  expect(await world.events("InstanceReady")).toHaveLength(1);
  expect(await world.events("InstanceStopped")).toHaveLength(1);
  expect(await world.events("InstanceExited")).toEqual([]);
});

test("orders to stop break off a preparation", async () => {
  await using world = new AgentWorld();
  world.runtime.setDelay("prepare", 600_000);
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.reported(web(0))?.phase).toBe("preparing");
  await world.order([]);
  await world.clock.advance(3_000);
  expect(world.coordinator.reports().get(HOST)?.instances).toEqual([]);
  expect(world.states()).toEqual({});
});

test("orders of an older generation are refused, loudly, and change nothing", async () => {
  await using world = new AgentWorld();
  await world.order([{}], {}, 7);
  world.start();
  await world.clock.advance(3_000);
  await world.order([], {}, 6);
  await world.clock.advance(40_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  expect(await world.events("OrdersRefused")).toHaveLength(1);
});

test("an orders file that cannot be read is kept aside, and the store is asked", async () => {
  await using world = new AgentWorld();
  world.stateDir.files.set("orders.binpb", Buffer.from("not orders"));
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  expect(world.stateDir.files.has("orders.binpb.unreadable")).toBe(true);
  expect(world.log.join("")).toContain("the orders on disk cannot be used");
});

test("a full state directory is told, and keeps nothing from running", async () => {
  await using world = new AgentWorld();
  world.stateDir.isFull = true;
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  expect(world.log.join("")).toContain("ENOSPC");
});

test("orders that are not on disk are obeyed, and not said to be applied (I1, I5)", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.report()?.generation).toBe(1);
  world.stateDir.isFull = true;
  await world.order([{ desired: "stop" }]);
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
  expect(world.report()?.generation).toBe(1);
  world.stateDir.isFull = false;
  await world.clock.advance(5_000);
  expect(world.report()?.generation).toBe(2);
});

test("what the orders on disk discard is not made anew before others are there (I4)", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  await world.order([{ desired: "discard" }]);
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({});
  world.stateDir.isFull = true;
  await world.order([{}, { index: 1 }]);
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0001.1": "ready" });
  expect(world.reported(web(0))?.reason).toContain(
    "waits until its orders are on this host's disk",
  );
  world.stateDir.isFull = false;
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "ready" });
});

test("what a driver cannot list is left alone, and the report says so", async () => {
  await using world = new AgentWorld();
  await world.order([{ index: 0 }, { index: 1 }]);
  world.start();
  await world.clock.advance(3_000);
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 1);
  await world.clock.advance(10_000);
  await world.order([{ index: 1 }]);
  world.runtime.crash(web(1));
  await world.clock.advance(20_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "exited" });
  expect(world.reported(web(0))?.phase).toBe("ready");
  expect(world.reported(web(0))?.reason).toContain("the container driver cannot list");
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 0);
  await world.clock.advance(20_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited", "web-0001.1": "ready" });
});

test("what was never seen waits while its driver cannot list, and says so", async () => {
  await using world = new AgentWorld();
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 1);
  await world.order([{}]);
  world.start();
  await world.clock.advance(10_000);
  expect(world.reported(web(0))?.reason).toContain("the container driver cannot list");
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 0);
  await world.clock.advance(10_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "ready", reason: undefined });
});

test("what is to be discarded is not reported gone by an agent that never saw it", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  await world.stop();
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 1);
  await world.order([{ desired: "discard" }]);
  world.start();
  await world.clock.advance(10_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "stopping" });
  expect(world.coordinator.reports().get(HOST)?.generation).toBe(2);
  world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 0);
  await world.clock.advance(10_000);
  expect(world.reported(web(0))).toBe(undefined);
});

test("why it ended is told, not what once kept it from starting", async () => {
  await using world = new AgentWorld();
  world.runtime.failNext("start", { code: "unavailable", isAfterEffect: true });
  await world.order([{}], { restart: { ...FLEET.restart, mode: "never" } });
  world.start();
  await world.clock.advance(10_000);
  world.runtime.crash(web(0));
  await world.clock.advance(3_000);
  expect(world.reported(web(0))?.reason).toContain("killed from outside");
});

test("trouble of the host does not use up an instance's restarts", async () => {
  await using world = new AgentWorld();
  world.runtime.failSometimes("start", { code: "unavailable", isAfterEffect: false }, 1);
  await world.order([{}], { restart: { ...FLEET.restart, mode: "never" } });
  world.start();
  await world.clock.advance(120_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "starting", restarts: 0 });
  expect(world.reported(web(0))?.reason).toContain("a fault was asked for");
  world.runtime.failSometimes("start", { code: "unavailable", isAfterEffect: false }, 0);
  await world.clock.advance(60_000);
  expect(world.reported(web(0))?.phase).toBe("ready");
});

test("what cannot be made has failed, says why, and is tried again later", async () => {
  await using world = new AgentWorld();
  world.runtime.failNext("prepare", { code: "invalid", isAfterEffect: false });
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "failed" });
  expect(world.reported(web(0))?.reason).toContain("a fault was asked for");
  await world.clock.advance(60_000);
  expect(world.reported(web(0))?.phase).toBe("ready");
});

test("what fails for good again and again is tried ever more seldom", async () => {
  await using world = new AgentWorld();
  world.runtime.failSometimes("prepare", { code: "invalid", isAfterEffect: false }, 1);
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_600_000);
  expect(stepsBegun(world)).toBeGreaterThan(5);
  expect(stepsBegun(world)).toBeLessThan(12);
});

test("no more instances start at once than there are slots", async () => {
  await using world = new AgentWorld({ readyAfterMs: undefined });
  world.slots = { ...world.slots, start: 2, isHeldUntilReady: true };
  await world.order([0, 1, 2, 3].map((index) => ({ index, kind: "vm" }) as const));
  world.start();
  await world.clock.advance(3_000);
  const up = () => world.runtime.instances().filter(({ state }) => state === "running");
  expect(up()).toHaveLength(2);
  expect(world.reported(web(3))).toMatchObject({ phase: "starting" });
  expect(world.reported(web(3))?.reason).toContain("waits for its turn");
  const phases = new Set<string | undefined>([world.reported(web(2))?.phase]);
  const note = () => phases.add(world.reported(web(2))?.phase);
  const end = new AbortController();
  world.coordinator.watch(note, end.signal);
  world.runtime.setReady(web(0), true);
  await world.clock.advance(3_000);
  expect([...phases]).toEqual(["starting", "running"]);
  expect(up()).toHaveLength(2);
  end.abort();
  expect(world.runtime.instances().filter(({ state }) => state === "created")).toHaveLength(1);
});

test("what waits for its turn says so also while its driver cannot list", async () => {
  await using world = new AgentWorld({ readyAfterMs: undefined });
  world.slots = { ...world.slots, start: 1, isHeldUntilReady: true };
  await world.order([0, 1].map((index) => ({ index, kind: "vm" }) as const));
  world.start();
  await world.clock.advance(3_000);
  const [waiting] = world.runtime.instances().filter(({ state }) => state === "created");
  const phases = new Set<string | undefined>();
  for (let second = 0; second < 20; second++) {
    const probability = second % 4 < 2 ? 1 : 0;
    world.runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, probability);
    await world.clock.advance(1_000);
    phases.add(waiting && world.reported(waiting)?.phase);
  }
  expect([...phases]).toEqual(["starting"]);
});

test("what is older than what is here waits for newer orders, and says so", async () => {
  await using world = new AgentWorld();
  await world.order([{ incarnation: 5 }]);
  world.start();
  await world.clock.advance(3_000);
  await world.order([{ incarnation: 3 }]);
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.5": "ready" });
  expect(world.reported(web(0, 3))?.reason).toBe("waits for newer orders: incarnation 5 is here");
});

test("what must end before the lease does not queue behind other stops", async () => {
  await using world = new AgentWorld({ isStubborn: true });
  world.slots = { ...world.slots, stop: 1 };
  await world.order(
    [0, 1, 2].map((index) => ({ index })),
    { onIsolation: "stop" },
  );
  world.start();
  await world.clock.advance(10_000);
  world.leaseMs = undefined;
  await world.clock.advance(5_000);
  expect(world.runtime.instances().map(({ state }) => state)).toEqual(Array(3).fill("exited"));
});

test("a kind that the host does not run is reported as failed, with the reason", async () => {
  await using world = new AgentWorld();
  world.kinds = ["container"];
  await world.order([{ kind: "vm" }]);
  world.start();
  await world.clock.advance(3_000);
  expect(world.reported(web(0))?.reason).toContain("the driver is not enabled");
});

test("cut off, a host keeps running what keeps, and heals by itself", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  world.cutOff();
  await world.clock.advance(120_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  world.runtime.crash(web(0));
  await world.clock.advance(10_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  world.heal();
  await world.clock.advance(10_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "ready", restarts: 1 });
  expect(await world.events("InstanceRestarted")).toHaveLength(1);
});

test("what is to stop in isolation is stopped before the lease ends", async () => {
  await using world = new AgentWorld();
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  world.leaseMs = undefined;
  await world.clock.advance(2_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
  world.leaseMs = 6_000;
  await world.clock.advance(2_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
});

test("a stubborn instance is ended by force before the lease ends", async () => {
  await using world = new AgentWorld({ isStubborn: true });
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  world.leaseMs = undefined;
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("an ordered stop that takes its time is hurried when the lease ends", async () => {
  await using world = new AgentWorld({ isStubborn: true });
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  world.leaseMs = undefined;
  await world.order([{ desired: "stop" }], { onIsolation: "stop" });
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("an agent that restarts without a lease adopts what runs, for one lease at most", async () => {
  await using world = new AgentWorld({ isStubborn: true });
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  await world.stop();
  world.leaseMs = undefined;
  await world.order([{}, { index: 1 }], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
  expect(world.reported(web(1))?.reason).toContain("waits for a lease");
  world.leaseMs = 6_000;
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "ready" });
});

test("an agent that restarts without a lease assumes one as long as the last", async () => {
  await using world = new AgentWorld();
  world.leaseMs = 20_000;
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  await world.stop();
  world.leaseMs = undefined;
  world.start();
  await world.clock.advance(15_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("heartbeats follow the lease, and come every second until there is one", async () => {
  await using world = new AgentWorld();
  const heardIn = async (ms: number) => {
    const before = world.heartbeats;
    await world.clock.advance(ms);
    return world.heartbeats - before;
  };
  await world.order([{}], { onIsolation: "stop" });
  world.leaseMs = undefined;
  world.start();
  expect(await heardIn(10_500)).toBe(11);
  world.leaseMs = 5_000;
  expect(await heardIn(10_000)).toBe(10);
  world.leaseMs = 60_000;
  expect(await heardIn(60_000)).toBe(6);
  world.leaseMs = undefined;
  // Until the next is due, then every second.
  expect(await heardIn(20_000)).toBeGreaterThanOrEqual(10);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await world.clock.advance(40_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("a disk that hangs on the length of the lease does not cost the lease", async () => {
  await using world = new AgentWorld();
  world.stateDir.hangsOn = "lease.json";
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(30_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
});

test("a lease on disk that cannot be read is kept aside, and the usual one assumed", async () => {
  await using world = new AgentWorld();
  world.stateDir.files.set("lease.json", Buffer.from('{"leaseMs":"long"}'));
  world.leaseMs = undefined;
  world.start();
  await world.clock.advance(1_000);
  expect(world.stateDir.files.has("lease.json.unreadable")).toBe(true);
  expect(world.log.join("")).toContain("the usual one is assumed");
});

test("what must end before the lease is tried again at once, whatever failed before", async () => {
  await using world = new AgentWorld();
  const fault = { code: "unavailable", isAfterEffect: false } as const;
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(10_000);
  world.runtime.failSometimes("stop", fault, 1);
  await world.order([{ desired: "stop" }], { onIsolation: "stop" });
  await world.clock.advance(60_000);
  world.leaseMs = undefined;
  await world.clock.advance(4_000);
  world.runtime.failSometimes("stop", fault, 0);
  await world.clock.advance(1_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("what is gone as soon as it is made is made again seldom, and says why", async () => {
  await using world = new AgentWorld();
  world.runtime.onChange(() => world.runtime.forget(web(0)), new AbortController().signal);
  await world.order([{}]);
  world.start();
  await world.clock.advance(120_000);
  expect(stepsBegun(world)).toBeLessThan(10);
  expect(world.reported(web(0))).toMatchObject({ phase: "preparing" });
  expect(world.reported(web(0))?.reason).toContain("calls it done, but does not list it");
});

test("what goes on although it was stopped is stopped again seldom, and says why", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  const end = new AbortController();
  world.runtime.onChange(() => world.runtime.start(web(0)), end.signal);
  const before = stepsBegun(world);
  await world.order([]);
  await world.clock.advance(120_000);
  expect(stepsBegun(world) - before).toBeLessThan(10);
  expect(world.reported(web(0))?.reason).toContain("calls it done, but lists it as ready");
  end.abort();
  await world.clock.advance(40_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("what ends as soon as it is started backs off by its policy, and is given up", async () => {
  await using world = new AgentWorld({ endsAfterMs: 0, exitCode: 1 });
  await world.order([{}]);
  world.start();
  await world.clock.advance(120_000);
  expect(stepsBegun(world)).toBe(5);
  expect(world.reported(web(0))).toMatchObject({ phase: "failed", restarts: 3 });
});

test("a start that the end of the agent breaks off uses up no restart", async () => {
  await using world = new AgentWorld();
  world.runtime.setDelay("start", 60_000);
  await world.order([{}], { restart: { ...FLEET.restart, mode: "never" } });
  world.start();
  await world.clock.advance(3_000);
  await world.stop();
  world.runtime.setDelay("start", 0);
  world.start();
  await world.clock.advance(70_000);
  expect(world.reported(web(0))).toMatchObject({ phase: "ready", restarts: 0 });
});

test("the end of the agent is no fault of its drivers", async () => {
  await using world = new AgentWorld();
  world.start();
  await world.clock.advance(1_000);
  for (const verb of ["probe", "list"] as const) world.runtime.setDelay(verb, 5_000);
  await world.clock.advance(32_000);
  await world.stop();
  expect(world.log.join("")).not.toMatch(/WARN|ERROR/i);
});

/** When the reports that come from now on were written. */
function reportTimes(world: AgentWorld, signal: AbortSignal): ReadonlySet<number> {
  const times = new Set<number>();
  const note = () => times.add(world.coordinator.reports().get(HOST)?.reportedAt ?? 0);
  world.coordinator.watch(note, signal);
  return times;
}

test("what coordinators decide by is reported at once, out of a budget", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(5_000);
  const end = new AbortController();
  const times = reportTimes(world, end.signal);
  const turn = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      world.runtime.setReady(web(0), round % 2 === 1);
      await world.clock.advance(100);
    }
  };
  await turn(8);
  expect(times.size).toBe(8);
  await turn(50);
  expect(times.size).toBeGreaterThanOrEqual(34);
  expect(times.size).toBeLessThanOrEqual(40);
  end.abort();
});

test("progress is reported at most once a second", async () => {
  await using world = new AgentWorld({ readyAfterMs: undefined });
  world.slots = { ...world.slots, start: 1 };
  world.runtime.setDelay("start", 100);
  await world.order(Array.from({ length: 80 }, (_, index) => ({ index, kind: "vm" as const })));
  world.start();
  await world.clock.advance(3_000);
  const end = new AbortController();
  const times = reportTimes(world, end.signal);
  await world.clock.advance(5_000);
  expect(times.size).toBeGreaterThanOrEqual(4);
  expect(times.size).toBeLessThanOrEqual(6);
  end.abort();
});

test("a report that says nothing new is written now and then", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(5_000);
  const end = new AbortController();
  const times = reportTimes(world, end.signal);
  await world.clock.advance(61_000);
  expect(times.size).toBe(2);
  end.abort();
});

test("events that no longer fit are dropped, oldest first, and the loss is told", async () => {
  await using world = new AgentWorld({ endsAfterMs: 50, exitCode: 0 });
  const restart = { ...FLEET.restart, maxRestarts: 1_000_000, backoffMs: 100, maxBackoffMs: 100 };
  await world.order(
    Array.from({ length: 20 }, (_, index) => ({ index })),
    { restart },
  );
  world.start();
  await world.clock.advance(3_000);
  world.cutOff();
  await world.clock.advance(20_000);
  world.heal();
  await world.clock.advance(5_000);
  const [event] = await world.events("EventsDropped");
  expect(event?.text).toMatch(/^\d+ older events were dropped/);
});

test("a pool that is not mounted offers nothing, and is told once", async () => {
  await using world = new AgentWorld();
  world.start();
  await world.clock.advance(3_000);
  world.pool = { ...world.pool, totalBytes: 0, freeBytes: 0 };
  await world.clock.advance(120_000);
  expect(world.coordinator.reports().get(HOST)?.capacity.diskMib).toBe(0);
  expect(world.log.filter((line) => line.includes("the pool cannot be read"))).toHaveLength(1);
});

test("an image that was fetched is told by its name", async () => {
  await using world = new AgentWorld();
  const { name, disk } = TEMPLATES.vm.image;
  await world.order([{ kind: "vm" }]);
  world.start();
  await world.clock.advance(3_000);
  world.pool = { ...world.pool, artifacts: [disk.digest] };
  await world.clock.advance(40_000);
  const [event] = await world.events("ImageFetched");
  expect(event?.text).toBe(`image ${name} (${disk.digest}) was fetched to pool main`);
});

test("a host that was cut off reports anew: the store may have lost its report", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(5_000);
  world.cutOff();
  await world.clock.advance(3_000);
  const backAt = world.clock.now();
  world.heal();
  await world.clock.advance(2_000);
  expect(world.coordinator.reports().get(HOST)?.reportedAt).toBeGreaterThanOrEqual(backAt);
});

test("drivers are probed for what may have changed them, not for each container", async () => {
  await using world = new AgentWorld();
  const probes = async () => {
    const { values } = await world.metrics.driverCall.get();
    const counts = values.filter(
      ({ metricName, labels }) => metricName?.endsWith("_count") && labels.verb === "probe",
    );
    return counts.reduce((sum, { value }) => sum + value, 0);
  };
  world.start();
  await world.clock.advance(3_000);
  const before = await probes();
  await world.order([{ index: 0 }]);
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  expect(await probes()).toBe(before);
  await world.order([{ index: 0 }, { index: 1, kind: "vm" }]);
  await world.clock.advance(5_000);
  expect(await probes()).toBeGreaterThan(before);
});
