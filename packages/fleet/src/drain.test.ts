/** What cordons and drains do to a plan. */
import { describe, expect, test } from "vitest";
import {
  aFleet,
  aHost,
  anEntry,
  anObserved,
  aSnapshot,
  digest,
  someOrders,
} from "../test/build.ts";
import { reconcile } from "./reconcile.ts";
import type { HostView } from "./snapshot.ts";

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
