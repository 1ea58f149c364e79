import type { Applied, AppliedBy, HostName, Observed, OrderedInstance, Report } from "@evm/fleet";
import { type ControlState, createMemoryStore } from "@evm/store";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { agentOf, declare, soon, startHost } from "../test/cluster.ts";
import { Camera } from "./picture.ts";

const NOBODY = new Map();
const overcommit = { vcpu: 1, memory: 1, disk: 1 };

async function aCamera() {
  const store = createMemoryStore();
  const own = store.coordinator("a");
  const camera = new Camera();
  let heartbeats: ReadonlyMap<HostName, AppliedBy> = new Map();
  const hear = (host: string, applied: Applied) => {
    const agent = agentOf(host as HostName);
    heartbeats = new Map(heartbeats).set(host as HostName, { agent, ...applied });
  };
  const take = (liveness: "up" | "lost" = "up") =>
    camera.take({
      epoch: 1,
      control: own.control(),
      reports: own.reports(),
      heartbeats,
      rivals: NOBODY,
      signOf: (host) => (host === "h1" ? liveness : "up"),
      overcommit,
      waveShare: 0.1,
      maxLostShare: 1,
    });
  const clock = new ManualClock();
  const hosts = [
    await startHost({ store }, "h1", "ready", clock),
    await startHost({ store }, "h2", "ready", clock),
  ];
  await clock.advance(0);
  const close = () => Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
  return { store, take, hear, close };
}

test("while nothing changes the same picture is given, with what was worked out", async () => {
  const { take, close } = await aCamera();
  const { plan, instances } = take();
  expect(take().plan).toBe(plan);
  expect(take().instances).toBe(instances);
  await close();
});

test("a change of fleets or of a host's liveness is another picture", async () => {
  const { store, take, close } = await aCamera();
  const first = take();
  await declare(store, "web", 2);
  const second = take();
  expect(second).not.toBe(first);
  expect(second.instances.map(({ name }) => name)).toEqual(["web-0000", "web-0001"]);
  expect(second.newest("web-0001")?.phase).toBe("pending");
  expect(take("lost")).not.toBe(second);
  await close();
});

test("a host that has not changed is the same view in the next picture", async () => {
  const { take, close } = await aCamera();
  const before = take().snapshot.hosts;
  const after = take("lost").snapshot.hosts;
  expect(after.map(({ liveness }) => liveness)).toEqual(["lost", "up"]);
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).toBe(before[1]);
  await close();
});

test("a heartbeat that says no more than the report calls for no other plan", async () => {
  const { take, hear, close } = await aCamera();
  const { plan } = take();
  hear("h1", { epoch: 0, generation: 0 });
  const told = take();
  expect(told.snapshot.hosts[0]?.heartbeat).toMatchObject({ epoch: 0, generation: 0 });
  expect(told.plan).toBe(plan);
  hear("h1", { epoch: 1, generation: 1 });
  expect(take().plan).not.toBe(plan);
  await close();
});

test("how instances fare calls for no other plan, unless some are to end or to fail", async () => {
  const store = createMemoryStore();
  const own = store.coordinator("a");
  const clock = new ManualClock();
  const host = await startHost({ store }, "h1", "ready", clock);
  await clock.advance(0);
  await declare(store, "web", 1);
  const claimed = await own.claimEpoch("a", 0, soon().signal);
  const epoch = claimed.kind === "written" ? claimed.epoch : 0;
  const camera = new Camera();
  const take = (desired: OrderedInstance["desired"], seen: Partial<Observed> = {}) =>
    camera.take({
      epoch,
      control: ordering(own.control(), desired),
      reports: new Map([...own.reports()].map(([name, one]) => [name, faring(one, seen)])),
      heartbeats: new Map(),
      rivals: NOBODY,
      signOf: () => "up",
      overcommit,
      waveShare: 0.1,
      maxLostShare: 1,
    });
  const { plan } = take("run");
  const orders = plan.orders.map((value) => ({ value, expectedRevision: 0 }));
  await own.commit({ epoch, orders, fleets: [], forgottenFleets: [] }, soon().signal);
  await clock.advance(1_000);

  const settled = take("run");
  expect(settled.instances.map(({ phase }) => phase)).toEqual(["ready"]);
  expect([...settled.plan.watched]).toEqual([]);
  const blemish = take("run", { reason: "docker is away" });
  expect(blemish.instances.map(({ reason }) => reason)).toEqual(["docker is away"]);
  expect(blemish.plan).toBe(settled.plan);
  const crashed = take("run", { phase: "starting", restarts: 9 });
  expect(crashed.instances.map(({ phase }) => phase)).toEqual(["starting"]);
  expect(crashed.plan).toBe(settled.plan);
  expect(take("run", { phase: "failed" }).plan).not.toBe(settled.plan);
  const { plan: ending } = take("discard");
  expect(take("discard", { reason: "docker is away" }).plan).not.toBe(ending);
  await host[Symbol.asyncDispose]();
});

function faring(report: Report, seen: Partial<Observed>): Report {
  return { ...report, instances: report.instances.map((one) => ({ ...one, ...seen })) };
}

function ordering(control: ControlState, desired: OrderedInstance["desired"]): ControlState {
  const orders = [...control.orders].map(([host, { value, revision }]) => {
    const instances = value.instances.map((one) => ({ ...one, desired }));
    return [host, { value: { ...value, instances }, revision }] as const;
  });
  return { ...control, orders: new Map(orders) };
}
