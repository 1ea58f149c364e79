/** What cordons and drains do to a plan. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aContainer,
  aFleet,
  aHost,
  anEntry,
  anObserved,
  anUpdatePolicy,
  aSnapshot,
  digest,
  hostName,
  someOrders,
} from "../test/build.ts";
import { SimulatedCluster } from "../test/simulated-cluster.ts";
import type { HostAdmin } from "./control.ts";
import { drainForecast } from "./drain-forecast.ts";
import { reconcile } from "./reconcile.ts";
import type { FleetRecord, HostView } from "./snapshot.ts";

describe("a cordoned host", () => {
  const cordoned = (
    text: string,
    orders: HostView["orders"],
    report: Parameters<typeof aHost>[1] = {},
  ) => aHost(text, report, { admin: "cordoned", orders });

  test("keeps what runs there, and gets nothing new", () => {
    const h1 = cordoned("h1", someOrders("h1", [anEntry()]), { instances: [anObserved()] });
    const plan = reconcile(aSnapshot([aFleet({ replicas: 2 })], [h1]));
    expect(plan.orders).toEqual([]);
    expect(plan.waiting.map(({ instance }) => instance)).toEqual(["web-0001"]);
    expect(plan.waiting[0]?.refusals[0]?.text).toContain("h1 is cordoned");
  });

  test("loses to another host what is made afresh", () => {
    const old = someOrders("h1", [anEntry({ template: digest("b2"), desired: "stop" })]);
    const stopped = anObserved({ template: digest("b2"), phase: "stopped" });
    const h1 = cordoned("h1", old, { instances: [stopped] });
    const plan = reconcile(aSnapshot([aFleet()], [h1, aHost("h2")]));
    expect(plan.actions.map(({ kind, host }) => [kind, host])).toEqual([
      ["discard", "h1"],
      ["replace", "h2"],
    ]);
  });

  test("runs again what had stopped there and is wanted again", () => {
    const orders = someOrders("h1", [anEntry({ desired: "stop" })]);
    const h1 = cordoned("h1", orders, { instances: [anObserved({ phase: "stopped" })] });
    const plan = reconcile(aSnapshot([aFleet()], [h1, aHost("h2")]));
    expect(plan.actions.map(({ kind, host }) => [kind, host])).toEqual([["resume", "h1"]]);
  });
});

describe("a drain", () => {
  const TINY = { vcpuMillis: 10, memoryMib: 10, diskMib: 10 };
  const web = (replicas: number, maxUnavailable: number) => {
    const template = aContainer({ resources: TINY });
    return aFleet({ replicas, template, update: anUpdatePolicy({ maxUnavailable }) });
  };
  const settled = (fleet: FleetRecord, hosts: readonly string[]): SimulatedCluster => {
    const views = hosts.map((name) => aHost(name));
    const cluster = new SimulatedCluster([fleet], views, { vcpu: 1, memory: 1, disk: 1 });
    cluster.settle();
    return cluster;
  };
  const runningOn = (cluster: SimulatedCluster, name: string): readonly string[] =>
    (cluster.host(hostName(name))?.observe() ?? [])
      .filter(({ phase }) => phase === "ready")
      .map((one) => one.name);

  test("that is called off half-way leaves what has moved, and moves nothing more", () => {
    const cluster = settled(web(12, 1), ["h1", "h2"]);
    cluster.setHost(hostName("h1"), { admin: "draining" });
    for (let round = 0; round < 7; round += 1) cluster.round();
    const left = runningOn(cluster, "h1");
    const moved = runningOn(cluster, "h2");
    expect(left.length).toBeGreaterThan(1);
    expect(moved.length).toBeGreaterThan(6);
    cluster.setHost(hostName("h1"), { admin: "active" });
    const discarded = cluster.discards.length;
    cluster.settle();
    expect(runningOn(cluster, "h1")).toEqual(expect.arrayContaining([...left]));
    expect(runningOn(cluster, "h2")).toEqual(expect.arrayContaining([...moved]));
    expect(cluster.running()).toHaveLength(12);
    // Only what had its next incarnation elsewhere already.
    expect(cluster.discards.length - discarded).toBeLessThanOrEqual(1);
    expect(cluster.faults).toEqual([]);
  });

  test("that becomes a cordon half-way does the same", () => {
    const cluster = settled(web(12, 1), ["h1", "h2"]);
    cluster.setHost(hostName("h1"), { admin: "draining" });
    for (let round = 0; round < 7; round += 1) cluster.round();
    const left = runningOn(cluster, "h1");
    cluster.setHost(hostName("h1"), { admin: "cordoned" });
    cluster.settle();
    expect(runningOn(cluster, "h1")).toEqual(expect.arrayContaining([...left]));
    expect(cluster.running()).toHaveLength(12);
  });

  test("is foretold in its order, with what has nowhere to go, and what slows it", () => {
    const cluster = settled(web(6, 2), ["h1", "h2"]);
    cluster.setHost(hostName("h1"), { admin: "draining" });
    const drained = new Set([hostName("h1")]);
    const { actions, notes, waiting } = drainForecast(cluster.snapshot(), drained);
    expect(actions.map(({ kind, from, host }) => [kind, from, host])).toEqual(
      Array.from({ length: 3 }, () => ["move", "h1", "h2"]),
    );
    expect(notes.map(({ text }) => text)).toEqual([
      "fleet web: 3 go, at most 2 at a time (maxUnavailable)",
    ]);
    expect(waiting).toEqual([]);
    cluster.setHost(hostName("h2"), { admin: "cordoned" });
    const stuck = drainForecast(cluster.snapshot(), drained);
    expect(stuck.actions).toEqual([]);
    expect(stuck.waiting.map(({ instance }) => instance)).toEqual(runningOn(cluster, "h1"));
    expect(stuck.waiting[0]?.refusals[0]?.text).toContain("h2 is cordoned");
  });

  test("never breaks maxUnavailable, whatever is updated, drained, cordoned or unreported", () => {
    const at = fc.constantFrom("h1", "h2", "h3", "h4").map(hostName);
    const command = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("plan" as const) }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("act" as const), isReporting: fc.boolean() }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant("admin" as const),
          at,
          admin: fc.constantFrom<HostAdmin[]>("draining", "draining", "cordoned", "active"),
        }),
      },
      fc.record({ kind: fc.constant("template" as const) }),
      fc.record({ kind: fc.constant("report lost" as const), at }),
    );
    const commands = fc.array(command, { minLength: 10, maxLength: 60, size: "max" });
    fc.assert(
      fc.property(commands, fc.integer({ min: 1, max: 3 }), (history, maxUnavailable) => {
        const cluster = settled(web(9, maxUnavailable), ["h1", "h2", "h3", "h4"]);
        for (const one of history) {
          switch (one.kind) {
            case "plan":
              cluster.plan();
              break;
            case "act":
              cluster.act(one.isReporting);
              break;
            case "admin":
              cluster.setHost(one.at, { admin: one.admin });
              break;
            case "template": {
              const template = cluster.newTemplate();
              cluster.change("web", (record) => ({ ...record, template }));
              break;
            }
            case "report lost":
              cluster.loseReport(one.at);
          }
          expect(cluster.running().length).toBeGreaterThanOrEqual(9 - maxUnavailable);
        }
        expect(cluster.faults).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
