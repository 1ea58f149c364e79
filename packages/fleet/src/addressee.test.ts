import { expect, test } from "vitest";
import {
  aFleet,
  agentOf,
  aHost,
  anEntry,
  anObserved,
  aSnapshot,
  someOrders,
} from "../test/build.ts";
import { addressee, describeRival, speaksFor } from "./addressee.ts";
import { check } from "./check.ts";
import { reconcile } from "./reconcile.ts";
import type { HostView } from "./snapshot.ts";

const OWN = agentOf("h1");
const TWIN = agentOf("twin");

/** `h1` runs what it was ordered, and its twin is heard as well. */
const twins = (over: Partial<HostView> = {}): HostView =>
  aHost(
    "h1",
    { instances: [anObserved()] },
    { orders: someOrders("h1", [anEntry()]), rival: TWIN, ...over },
  );

const plan = (host: HostView) => {
  const snapshot = aSnapshot([aFleet({ onHostLoss: "wait" })], [host]);
  const made = reconcile(snapshot);
  expect(check(snapshot, made)).toEqual([]);
  return made;
};

test("orders are for the machine that reports, or was heard last where both are known", () => {
  expect(addressee(aHost("h1"))).toBe(OWN);
  const heartbeat = { agent: TWIN, epoch: 0, generation: 0 };
  expect(addressee(aHost("h1", {}, { heartbeat }))).toBe(TWIN);
  expect(addressee(aHost("h1", {}, { report: undefined }))).toBeUndefined();
  expect(plan(aHost("h1")).orders).toMatchObject([{ host: "h1", agent: OWN }]);
});

test("they stay with it, whoever else is heard", () => {
  for (const liveness of ["up", "unknown", "silent"] as const) {
    const heartbeat = { agent: TWIN, epoch: 0, generation: 0 };
    expect(addressee(twins({ liveness, heartbeat }))).toBe(OWN);
    expect(plan(twins({ liveness })).orders).toEqual([]);
  }
});

test("a successor is given what was ordered, as it stands; nothing begins elsewhere", () => {
  const host = twins({ liveness: "unknown", successor: TWIN });
  const snapshot = aSnapshot([aFleet()], [host, aHost("h2")]);
  const { orders } = reconcile(snapshot);
  expect(check(snapshot, reconcile(snapshot))).toEqual([]);
  expect(orders).toMatchObject([{ agent: TWIN, generation: 2, instances: [anEntry()] }]);
  expect(orders).toHaveLength(1);
});

test("a host that was never ordered anything is, once another machine bears its name", () => {
  const made = reconcile(aSnapshot([], [aHost("h1", {}, { rival: TWIN })]));
  expect(made.orders).toMatchObject([{ agent: OWN, generation: 1, instances: [] }]);
  expect(reconcile(aSnapshot([], [aHost("h1")])).orders).toEqual([]);
});

test("whose orders they are speaks for the host; so does who goes by later ones", () => {
  const orders = someOrders("h1", [anEntry()], { generation: 4 });
  const said = (agent: typeof OWN, generation: number) =>
    speaksFor({ agent, epoch: 1, generation }, orders, TWIN);
  expect([said(OWN, 0), said(OWN, 4), said(TWIN, 0), said(TWIN, 4)]).toEqual([
    ...[true, true, false, false],
  ]);
  expect(said(TWIN, 5)).toBe(true);
});

test("where there are no orders, who was heard first speaks for the host", () => {
  const said = { agent: OWN, epoch: 0, generation: 0 };
  expect(speaksFor(said, undefined, undefined)).toBe(true);
  expect(speaksFor(said, undefined, OWN)).toBe(true);
  expect(speaksFor(said, undefined, TWIN)).toBe(false);
});

test("a person is told which is the host, which is not, and what to do", () => {
  expect(describeRival(twins())).toMatch(/themselves h1: agent agent-twin .* agent-h1 is lost/);
  expect(describeRival(aHost("h1"))).toBeUndefined();
});
