import { expect, test } from "vitest";
import { aFleet, aHost, aSnapshot } from "../test/build.ts";
import { check } from "./check.ts";
import { reconcile } from "./reconcile.ts";

test("a new fleet is spread over the hosts, and each document is written once", () => {
  const snapshot = aSnapshot([aFleet({ replicas: 4 })], [aHost("h1"), aHost("h2")]);
  const plan = reconcile(snapshot);
  expect(check(snapshot, plan)).toEqual([]);
  expect(plan.orders.map((one) => [one.host, one.epoch, one.generation])).toEqual([
    ["h1", 1, 1],
    ["h2", 1, 1],
  ]);
  expect(plan.orders.map((one) => one.instances.map((entry) => entry.name))).toEqual([
    ["web-0000", "web-0002"],
    ["web-0001", "web-0003"],
  ]);
  expect(plan.actions.map((action) => action.kind)).toEqual(Array(4).fill("create"));
});
