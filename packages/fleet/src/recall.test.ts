import { expect, test } from "vitest";
import { agentOf, aHost, aSnapshot, someOrders } from "../test/build.ts";
import { recall } from "./recall.ts";
import type { HostView, Snapshot } from "./snapshot.ts";

/** What a host has applied by its report, and what is stored for it, both by generation. */
function host(name: string, applied: number, stored?: number, epoch = 1): HostView {
  const orders = stored === undefined ? undefined : someOrders(name, [], { generation: stored });
  return aHost(name, { generation: applied, epoch }, { orders });
}

const NONE = { epoch: 0, generation: 0 };

const judge = (hosts: readonly HostView[], over: Partial<Snapshot> = {}): string => {
  const memory = recall(aSnapshot([], hosts, over));
  const names = memory.kind === "lost" ? memory.hosts : [...memory.estranged];
  return [memory.kind, ...names].join(" ");
};

test("hosts that go by what is stored for them, or are behind it, are as they should be", () => {
  expect(judge([])).toBe("whole");
  expect(judge([host("h1", 0), host("h2", 3, 3), host("h3", 2, 3)])).toBe("whole");
});

test("an empty control state and a host that was ordered something: all is lost", () => {
  expect(judge([host("h1", 3), host("h2", 0)])).toBe("lost h1");
});

test("orders that say nothing, for a host that never had any, do not make it whole", () => {
  expect(judge([host("h1", 3), host("h2", 1, 1)])).toBe("lost h1");
});

test("a heartbeat tells it before any report does", () => {
  const heartbeat = { agent: agentOf("h1"), epoch: 1, generation: 3 };
  expect(judge([aHost("h1", {}, { report: undefined, heartbeat })])).toBe("lost h1");
});

test("an older copy of the control state is told by one host that is ahead of it", () => {
  expect(judge([host("h1", 3, 3), host("h2", 7, 5)])).toBe("lost h2");
});

test("a later epoch than the leader's tells it even at the same generation", () => {
  expect(judge([host("h1", 3, 3), host("h2", 3, 3, 8)])).toBe("lost h2");
});

test("of one generation there is one document: another epoch's is from another history", () => {
  expect(judge([host("h1", 3, 3), host("h2", 3, 3, 0)])).toBe("lost h2");
});

test("one host from elsewhere does not stop a cluster that knows its own", () => {
  expect(judge([host("h1", 3, 3), host("h9", 7)])).toBe("whole h9");
  expect(judge([host("h1", 3, 3), host("h9", 7, undefined, 99)])).toBe("whole h9");
});

test("neither does one whose orders a restore did not learn", () => {
  const unknown = aHost("h9", { generation: 7, epoch: 99 }, { orders: someOrders("h9", [], NONE) });
  expect(judge([host("h1", 3, 3), unknown], { epochBase: 1_000 })).toBe("whole h9");
});

test("a host that a restore left out does not, even where no others are ordered anything", () => {
  expect(judge([host("h9", 7, undefined, 99)], { epochBase: 1_000 })).toBe("whole h9");
  expect(judge([host("h9", 7, undefined, 1_001)], { epochBase: 1_000 })).toBe("lost h9");
});
