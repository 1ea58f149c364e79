import type { HostName } from "@evm/fleet";
import { expect, test } from "vitest";
import { FOOTING_MS } from "./leadership.ts";
import { Liveness } from "./liveness.ts";

const LIMIT_MS = 7_000;
const h1 = "h1" as HostName;
const aLiveness = () => new Liveness({ leaseMs: 6_000, marginMs: 1_000 });

/** Listens all the time, as a coordinator that runs does. */
function listen(liveness: Liveness, fromMs: number, toMs: number): void {
  for (let now = fromMs; now <= toMs; now += 250) liveness.listen(now, true);
}

test("a host is quiet after half a lease, and lost once it and the margin have passed", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 100_000);
  liveness.heard(h1, 90_000);
  expect(liveness.of(h1, 93_000, 0)).toBe("up");
  expect(liveness.of(h1, 93_001, 0)).toBe("quiet");
  expect(liveness.of(h1, 90_000 + LIMIT_MS, 0)).toBe("quiet");
  expect(liveness.of(h1, 90_001 + LIMIT_MS, 0)).toBe("lost");
});

test("a follower calls no host lost, however long it has been silent (V4)", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 100_000);
  expect(liveness.of(h1, 100_000, undefined)).toBe("overdue");
});

test("a new leader waits for the end of every promise that was made before it (V2)", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 100_000);
  const sinceMs = 80_000;
  expect(liveness.of(h1, sinceMs + LIMIT_MS + FOOTING_MS, sinceMs)).toBe("overdue");
  expect(liveness.of(h1, sinceMs + LIMIT_MS + FOOTING_MS + 1, sinceMs)).toBe("lost");
});

test("after a freeze every host gets a lease's time to be heard again (V3)", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 50_000);
  liveness.heard(h1, 50_000);
  const awakeMs = 80_000;
  expect(liveness.of(h1, awakeMs, 0)).toBe("unknown");
  listen(liveness, awakeMs, awakeMs + 10_000);
  expect(liveness.of(h1, awakeMs + LIMIT_MS, 0)).toBe("unknown");
  expect(liveness.of(h1, awakeMs + LIMIT_MS + 1, 0)).toBe("lost");
});

test("silence while cut off from the store proves nothing (V3)", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 50_000);
  for (let now = 50_000; now < 70_000; now += 250) liveness.listen(now, false);
  expect(liveness.of(h1, 69_750, 0)).toBe("unknown");
  listen(liveness, 70_000, 80_000);
  expect(liveness.of(h1, 70_000 + LIMIT_MS, 0)).toBe("unknown");
  expect(liveness.of(h1, 70_001 + LIMIT_MS, 0)).toBe("lost");
});

test("a short pause, of the collector or of a long pass, changes nothing", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 50_000);
  listen(liveness, 52_500, 60_000);
  expect(liveness.of(h1, 53_000, 0)).toBe("lost");
});

test("what was heard before a pause is not silent for it", () => {
  const liveness = aLiveness();
  listen(liveness, 0, 50_000);
  liveness.heard(h1, 50_000);
  for (let now = 50_250; now < 54_000; now += 250) liveness.listen(now, false);
  expect(liveness.of(h1, 54_000, 0)).toBe("up");
  listen(liveness, 54_000, 57_000);
  expect(liveness.of(h1, 57_000, 0)).toBe("up");
  expect(liveness.of(h1, 57_000 + 1, 0)).toBe("unknown");
});
