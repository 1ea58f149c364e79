import type {
  AgentId,
  Digest,
  FleetName,
  Heartbeat,
  HostName,
  OrderedInstance,
  Orders,
} from "@evm/fleet";
import { instanceName } from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { expect, test } from "vitest";
import { Succession } from "./succeeded.ts";

const succession = new Succession();
const isSucceeded = (
  heartbeat: Omit<Heartbeat, "agent">,
  orders: ControlState["orders"],
  base = 0,
): boolean =>
  succession.isSucceeded(heartbeat, { orders, epoch: { epoch: base + 1, base, leader: "a" } });
const h1 = "h1" as HostName;
const h2 = "h2" as HostName;

function orders(
  host: HostName,
  instances: readonly Pick<OrderedInstance, "incarnation" | "desired">[],
): readonly [HostName, { readonly value: Orders; readonly revision: number }] {
  const fleet = "web" as FleetName;
  const template = `sha256:${"a".repeat(64)}` as Digest;
  const entries = instances.map((one) => {
    return { name: instanceName(fleet, 0), fleet, index: 0, template, ...one };
  });
  const agent = "a1" as AgentId;
  const value = {
    host,
    agent,
    epoch: 1,
    generation: 2,
    templates: [],
    fleets: [],
    instances: entries,
  };
  return [host, { value, revision: 1 }];
}

test("a host that went by old orders while its instance was ordered elsewhere is succeeded", () => {
  const all = new Map([
    orders(h1, [{ incarnation: 1, desired: "stop" }]),
    orders(h2, [{ incarnation: 2, desired: "run" }]),
  ]);
  expect(isSucceeded({ host: h1, epoch: 1, generation: 1 }, all)).toBe(true);
  expect(isSucceeded({ host: h1, epoch: 1, generation: 2 }, all)).toBe(false);
  expect(isSucceeded({ host: h2, epoch: 1, generation: 1 }, all)).toBe(false);
});

test("so is one whose successor is to end as well: it may be alive still", () => {
  const all = new Map([
    orders(h1, [{ incarnation: 1, desired: "discard" }]),
    orders(h2, [{ incarnation: 2, desired: "discard" }]),
  ]);
  expect(isSucceeded({ host: h1, epoch: 1, generation: 1 }, all)).toBe(true);
  expect(isSucceeded({ host: h2, epoch: 1, generation: 1 }, all)).toBe(false);
});

test("a host that is merely behind is not", () => {
  const all = new Map([orders(h1, [{ incarnation: 1, desired: "stop" }]), orders(h2, [])]);
  expect(isSucceeded({ host: h1, epoch: 1, generation: 1 }, all)).toBe(false);
});

test("so is one that is ordered to run what was ordered elsewhere: a restore found both", () => {
  const all = new Map([
    orders(h1, [{ incarnation: 1, desired: "run" }]),
    orders(h2, [{ incarnation: 2, desired: "run" }]),
  ]);
  expect(isSucceeded({ host: h1, epoch: 1, generation: 2 }, all)).toBe(true);
  expect(isSucceeded({ host: h2, epoch: 1, generation: 2 }, all)).toBe(false);
});

test("so is one that a restore has stop a successor, until it has: what was before goes on", () => {
  const all = new Map([
    orders(h1, [{ incarnation: 1, desired: "run" }]),
    orders(h2, [{ incarnation: 2, desired: "stop" }]),
  ]);
  expect(isSucceeded({ host: h2, epoch: 1, generation: 1 }, all, 1_000)).toBe(true);
  expect(isSucceeded({ host: h2, epoch: 1, generation: 2 }, all, 1_000)).toBe(false);
  expect(isSucceeded({ host: h2, epoch: 1_001, generation: 1 }, all, 1_000)).toBe(false);
});

test("what orders no longer say counts no longer", () => {
  const first = orders(h1, [{ incarnation: 1, desired: "stop" }]);
  const stale = { host: h1, epoch: 1, generation: 1 };
  const successor = orders(h2, [{ incarnation: 2, desired: "run" }]);
  expect(isSucceeded(stale, new Map([first, successor]))).toBe(true);
  expect(isSucceeded(stale, new Map([first, orders(h2, [])]))).toBe(false);
  expect(isSucceeded(stale, new Map([first, successor]))).toBe(true);
  expect(isSucceeded(stale, new Map([first]))).toBe(false);
});
