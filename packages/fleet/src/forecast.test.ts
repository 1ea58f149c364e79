import { expect, test } from "vitest";
import {
  aFleet,
  aHost,
  anEntry,
  anObserved,
  anUpdatePolicy,
  aSnapshot,
  digest,
  fleetName,
  someOrders,
} from "../test/build.ts";
import { forecast } from "./forecast.ts";
import type { Snapshot } from "./snapshot.ts";
import type { FleetSpec } from "./spec.ts";

const INDEXES = [0, 1, 2];

/** Three instances of `web`, ready on `h1`, and what an operator made of the fleet since. */
function running(spec: Partial<FleetSpec>, over: Parameters<typeof aFleet>[1] = {}): Snapshot {
  const orders = someOrders(
    "h1",
    INDEXES.map((index) => anEntry({ index })),
  );
  const instances = INDEXES.map((index) => anObserved({ index }));
  const fleet = aFleet({ replicas: 3, ...spec }, over);
  return aSnapshot([fleet], [aHost("h1", { epoch: 1, instances }, { orders }), aHost("h2")]);
}

const shown = (snapshot: Snapshot) =>
  forecast(snapshot).actions.map(({ kind, instance, reason }) => `${kind} ${instance}: ${reason}`);

test("where nothing is to be done, nothing is foretold", () => {
  expect(forecast(running({}))).toEqual({ actions: [], waiting: [], notes: [] });
});

test("a changed template replaces every instance, though it takes turns", () => {
  expect(shown(running({}, { template: digest("a2") }))).toEqual([
    "replace web-0000: its template changed",
    "replace web-0001: its template changed",
    "replace web-0002: its template changed",
  ]);
});

test("an update is told in waves, of as many as its policy bears", () => {
  const update = anUpdatePolicy({ maxUnavailable: 2 });
  const { actions } = forecast(running({ update }, { template: digest("a2") }));
  expect(actions.map(({ instance, wave }) => [instance, wave])).toEqual([
    ["web-0000", 1],
    ["web-0001", 1],
    ["web-0002", 2],
  ]);
  const surge = anUpdatePolicy({ maxUnavailable: 0, maxSurge: 1 });
  const extra = forecast(running({ update: surge }, { template: digest("a2") })).actions;
  expect(extra.map(({ kind, instance, wave }) => [kind, instance, wave])).toEqual([
    ["create", "web-100000", 1],
    ["replace", "web-0000", 2],
    ["replace", "web-0001", 3],
    ["replace", "web-0002", 4],
  ]);
});

test("scaling creates and discards, each instance once", () => {
  expect(shown(running({ replicas: 4 }))).toEqual(["create web-0003: it is wanted"]);
  const fewer = forecast(running({ replicas: 1 })).actions;
  expect(fewer.map(({ kind, instance }) => [kind, instance])).toEqual([
    ["discard", "web-0001"],
    ["discard", "web-0002"],
  ]);
});

test("a drained host's instances move, each with where from and where to", () => {
  const snapshot = running({});
  const hosts = snapshot.hosts.map((host) =>
    host.name === "h1" ? { ...host, admin: "draining" as const } : host,
  );
  const moves = forecast({ ...snapshot, hosts }).actions;
  expect(moves.map(({ kind, from, host }) => [kind, from, host])).toEqual(
    INDEXES.map(() => ["move", "h1", "h2"]),
  );
});

test("what fits nowhere waits, and the rest is foretold", () => {
  const big = aFleet({
    name: fleetName("big"),
    replicas: 1,
    placement: {
      constraints: [{ label: "gpu", operator: "exists", values: [] }],
      strategy: "spread",
      apartFrom: [],
    },
  });
  const snapshot = running({ replicas: 4 });
  const { actions, waiting } = forecast({ ...snapshot, fleets: [big, ...snapshot.fleets] });
  expect(actions.map(({ instance }) => instance)).toEqual(["web-0003"]);
  expect(waiting.map(({ instance }) => instance)).toEqual(["big-0000"]);
});
