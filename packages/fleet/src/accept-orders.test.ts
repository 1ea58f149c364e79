import fc from "fast-check";
import { expect, test } from "vitest";
import { agentOf, anEntry, anObserved, hostName, someOrders } from "../test/build.ts";
import { acceptOrders as acceptOrdersOf } from "./accept-orders.ts";
import { isNewer } from "./is-newer.ts";
import type { Orders } from "./orders.ts";
import { isSame } from "./same.ts";

const orders = (over: Partial<Orders> = {}): Orders => someOrders("h1", [anEntry()], over);

const AGENT = agentOf("h1");
const acceptOrders = (current: Orders | undefined, incoming: Orders) =>
  acceptOrdersOf(AGENT, current, incoming);

test("the first orders are accepted, whatever they say", () => {
  expect(acceptOrders(undefined, orders())).toEqual({ kind: "accepted" });
});

test("but they are left alone where they are for another agent of the host's name", () => {
  expect(acceptOrders(undefined, orders({ agent: agentOf("h2") }))).toEqual({ kind: "foreign" });
});

test("those of generation 0 are none", () => {
  expect(acceptOrders(undefined, orders({ epoch: 0, generation: 0 })).kind).toBe("refused");
});

test.each([
  ["a later generation", { generation: 5 }, "accepted"],
  ["a later generation under a later epoch", { epoch: 4, generation: 5 }, "accepted"],
  ["the same content again", {}, "same"],
  ["an older generation", { generation: 3 }, "refused"],
  ["an older generation under a later epoch", { epoch: 4, generation: 3 }, "refused"],
  ["an older epoch", { epoch: 2, generation: 9 }, "refused"],
  ["the same generation with other content", { instances: [] }, "refused"],
  ["the same generation under another epoch", { epoch: 4 }, "refused"],
  ["later ones for another agent", { agent: agentOf("h2"), generation: 5 }, "foreign"],
  ["later ones for nobody", { agent: undefined, generation: 5 }, "foreign"],
  ["older ones for another agent", { agent: agentOf("h2"), generation: 3 }, "refused"],
  ["those of another host", { host: hostName("h2"), generation: 5 }, "refused"],
] as const)("%s: %o is %s", (_, over, kind) => {
  const current = orders({ epoch: 3, generation: 4 });
  const acceptance = acceptOrders(current, orders({ epoch: 3, generation: 4, ...over }));
  expect(acceptance.kind).toBe(kind);
  if (acceptance.kind === "refused") expect(acceptance.reason).not.toBe("");
});

test("in whatever order they come, epoch and generation never go back (I5)", () => {
  const arrivals = fc.array(fc.record({ epoch: fc.nat(4), generation: fc.nat(6) }));
  fc.assert(
    fc.property(arrivals, (list) => {
      let current: Orders | undefined;
      for (const one of list) {
        const incoming = orders(one);
        if (acceptOrders(current, incoming).kind !== "accepted") continue;
        expect(incoming.epoch).toBeGreaterThanOrEqual(current?.epoch ?? 0);
        expect(incoming.generation).toBeGreaterThan(current?.generation ?? -1);
        current = incoming;
      }
    }),
  );
});

test("content is compared by structure, and an absent field is an undefined one", () => {
  const value = fc.jsonValue();
  fc.assert(fc.property(value, (one) => isSame(one, structuredClone(one))));
  expect(isSame({ a: 1, b: undefined }, { a: 1 })).toBe(true);
  expect(isSame({ a: 1 }, { a: 1, b: undefined })).toBe(true);
  expect(isSame({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
  expect(isSame([1, 2], [2, 1])).toBe(false);
  expect(isSame({ a: 1 }, { a: 1, b: 2 })).toBe(false);
  expect(isSame({}, [])).toBe(false);
  expect(isSame("1", 1)).toBe(false);
});

test("an observation is newer by incarnation, then restarts, then phase", () => {
  const ordered = [
    anObserved({ phase: "failed", restarts: 9 }),
    anObserved({ incarnation: 2, phase: "ready" }),
    anObserved({ incarnation: 2, restarts: 1, phase: "starting" }),
    anObserved({ incarnation: 2, restarts: 1, phase: "ready" }),
  ];
  for (const [a, one] of ordered.entries()) {
    for (const [b, other] of ordered.entries()) expect(isNewer(one, other)).toBe(a > b);
  }
});
