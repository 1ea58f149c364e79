import type { DriverInstance } from "@evm/drivers";
import {
  type Digest,
  type FleetName,
  type HostName,
  instanceName,
  type OrderedInstance,
  type Orders,
  type Report,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { expect, test } from "vitest";
import { availability } from "./availability.ts";
import { data } from "./data.ts";
import { isolation } from "./isolation.ts";
import type { Excuse, HostTruth, Places, Truth } from "./truth.ts";

const host = "h1" as HostName;
const fleet = "web" as FleetName;
const digest = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;

const entry = (over: Partial<OrderedInstance>): OrderedInstance => ({
  ...{ name: instanceName(fleet, 0), fleet, index: 0, incarnation: 1 },
  ...{ template: digest("a"), desired: "run", ...over },
});

const ordersOf = (generation: number, ...instances: OrderedInstance[]): Orders => ({
  ...{ host, agent: undefined, epoch: 1, generation, templates: [], fleets: [], instances },
});

/** A fleet of two that is updated one at a time, to template b. */
const control = (orders: Orders): ControlState => {
  const spec = { name: fleet, replicas: 2, update: { maxUnavailable: 1, maxSurge: 0 } };
  const record = { spec, template: digest("b"), state: "active", wishes: [] };
  return {
    ...{ revision: 1, epoch: { epoch: 1, base: 0, leader: "c1" } },
    ...{ images: new Map(), hosts: new Map() },
    fleets: new Map([[fleet, { value: record as never, revision: 1 }]]),
    orders: new Map([[host, { value: orders, revision: orders.generation }]]),
  };
};

const instance = (index: number): DriverInstance => ({
  ...{ name: instanceName(fleet, index), incarnation: 1, fleet, index, state: "ready" },
  ...{ templateDigest: digest("a"), exit: undefined, reason: undefined },
  ...{ startedAt: 0, address: undefined },
});

function truth(
  nowMs: number,
  orders: Orders,
  existing: readonly DriverInstance[],
  over: Partial<Truth> = {},
): Truth {
  const there: HostTruth = {
    ...{ name: host, capacity: { vcpuMillis: 1, memoryMib: 1, diskMib: 1 } },
    ...{ instances: existing, accepted: orders },
    ...{ leasedUntilMs: () => 0, excuses: () => [] },
  };
  const places = new Map<DriverInstance["name"], Places>(
    [0, 1].map((index) => {
      const name = instanceName(fleet, index);
      const ordered = orders.instances.filter((one) => one.name === name);
      const found = existing.filter((one) => one.name === name);
      return [
        name,
        {
          ordered: ordered.map((one) => ({ host, one })),
          existing: found.map((one) => ({ host, one })),
        },
      ];
    }),
  );
  const names = new Set(places.keys());
  const changes = { orders: [orders], hosts: [there], names, areRecords: true };
  return {
    ...{ nowMs, control: control(orders), left: undefined, hosts: new Map([[host, there]]) },
    ...{ resources: new Map(), places, restored: new Map() },
    ...{ changes: { ...changes, restore: undefined }, ...over },
  };
}

test("what a leader discards by an older copy was ordered, as long as that is what is left", () => {
  const oracle = data();
  const before = ordersOf(1, entry({}));
  const late = ordersOf(2, entry({ desired: "discard" }), entry({ incarnation: 2 }));
  const lost = { left: control(before) };
  expect(oracle.look(truth(0, before, [instance(0)]))).toEqual([]);
  expect(oracle.look(truth(1, before, [instance(0)], lost))).toEqual([]);
  expect(oracle.look(truth(2, before, [instance(0)], { left: control(late) }))).toEqual([]);
  expect(oracle.look(truth(3, before, [], { left: control(late) }))).toEqual([]);
});

test("what is gone without an order while the control state is lost is noticed", () => {
  const oracle = data();
  const before = ordersOf(1, entry({}));
  oracle.look(truth(0, before, [instance(0)], { left: control(before) }));
  expect(oracle.look(truth(1, before, [], { left: control(before) }))).toEqual([
    "web-0000.1 on h1 is gone, and nobody ordered that",
  ]);
});

test("an incarnation that is there anew was not ready before, one that stayed was", () => {
  const replaced = ordersOf(
    2,
    ...[0, 1].map((index) =>
      entry({ name: instanceName(fleet, index), index, desired: "discard" }),
    ),
  );
  const running = ordersOf(
    1,
    ...[0, 1].map((index) => entry({ name: instanceName(fleet, index), index })),
  );
  const seen = (...phases: readonly string[]): ReadonlyMap<HostName, Report> => {
    const instances = phases.map((phase, index) => ({
      ...{ name: instanceName(fleet, index), incarnation: 1, phase },
    }));
    return new Map([[host, { host, instances } as never]]);
  };
  const isReady = seen("ready", "ready");
  const outcome = (...meanwhile: readonly ReadonlyMap<HostName, Report>[]): readonly string[] => {
    let told = isReady;
    const oracle = availability(() => told);
    const there = [instance(0), instance(1)];
    oracle.look(truth(0, running, there));
    for (told of [...meanwhile, isReady]) oracle.look(truth(30_000, running, there));
    return oracle.look(truth(30_002, replaced, there));
  };
  expect(outcome(seen())).toEqual([]);
  // Reports are lost with all data; the first one after that says that they had to stop.
  expect(outcome(new Map(), seen("stopped", "stopped"))).toEqual([]);
  expect(outcome()).toEqual([
    "web-0000, web-0001 were ready and are being replaced or moved; at most 1 may be",
  ]);
});

test("what a driver denied is not waited for once it is forgotten, all else is", () => {
  const fleets = [{ name: fleet, onIsolation: "stop" }] as never;
  const anew = { ...ordersOf(1, entry({})), fleets };
  const left = "h2" as HostName;
  const second = { ...instance(0), incarnation: 2 };
  const outcome = (lies: readonly Excuse[], ...stored: OrderedInstance[]): readonly string[] => {
    const orders = { ...anew, host: left, instances: stored };
    const there = (name: HostName, accepted: Orders, one: DriverInstance): HostTruth => ({
      ...{ name, capacity: { vcpuMillis: 1, memoryMib: 1, diskMib: 1 }, instances: [one] },
      ...{ accepted, leasedUntilMs: () => 0, excuses: () => (name === left ? lies : []) },
    });
    const hosts = [there(host, anew, instance(0)), there(left, orders, second)];
    const ordered = [anew, orders].flatMap((each) =>
      each.instances.map((one) => ({ host: each.host, one })),
    );
    const existing = hosts.flatMap(({ name, instances }) =>
      instances.map((one) => ({ host: name, one })),
    );
    const seen = truth(0, anew, [], {
      hosts: new Map(hosts.map((each) => [each.name, each])),
      places: new Map([[instance(0).name, { ordered, existing }]]),
    });
    return isolation(6_000, new Map()).look(seen);
  };
  const broken = ["web-0000.1 on h1 beside web-0000.2 on h2: both are alive"];
  expect(outcome(["driver lied"])).toEqual([]);
  expect(outcome(["restarted"])).toEqual(broken);
  expect(outcome(["driver lied"], entry({ incarnation: 2, desired: "discard" }))).toEqual(broken);
});
