import { expect, test } from "vitest";
import { aHost, anEntry, anObserved, someOrders } from "../test/build.ts";
import { isDrained, isInMaintenance } from "./maintenance.ts";

const draining = (
  desired: "run" | "stop" | "discard",
  phase: "ready" | "stopping" | "stopped" | undefined,
  liveness: "up" | "lost" = "up",
) => {
  const instances = phase === undefined ? [] : [anObserved({ phase })];
  const orders = someOrders("h1", [anEntry({ desired })]);
  return aHost("h1", { instances }, { admin: "draining", liveness, orders });
};

test("a drain is done once nothing is ordered to run, and nothing does", () => {
  expect(isDrained(draining("run", "ready"))).toBe(false);
  expect(isDrained(draining("stop", "stopping"))).toBe(false);
  expect(isDrained(draining("discard", "ready"))).toBe(false);
  expect(isDrained(draining("stop", "stopped"))).toBe(true);
  expect(isDrained(draining("discard", undefined))).toBe(true);
  expect(isDrained(aHost("h1", {}, { admin: "draining" }))).toBe(true);
  expect(isDrained(aHost("h1", {}, { admin: "cordoned" }))).toBe(false);
});

test("a drained host that is silent is in maintenance, one that is not drained is lost", () => {
  expect(isInMaintenance(draining("stop", "stopped", "lost"))).toBe(true);
  expect(isInMaintenance(draining("stop", "stopped", "up"))).toBe(false);
  expect(isInMaintenance(draining("stop", "stopping", "lost"))).toBe(false);
});
