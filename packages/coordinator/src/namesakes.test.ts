import type { AgentId, HostName, Orders } from "@evm/fleet";
import { expect, test } from "vitest";
import { Namesakes } from "./namesakes.ts";

const HOST = "h1" as HostName;
const FIRST = "agent-1" as AgentId;
const SECOND = "agent-2" as AgentId;
const LIMIT_MS = 7_500;

const ordersFor = (agent: AgentId): Orders => ({
  ...{ host: HOST, agent, epoch: 1, generation: 3 },
  ...{ templates: [], fleets: [], instances: [] },
});

function heardAs() {
  const namesakes = new Namesakes({ leaseMs: 6_000, marginMs: 1_500 });
  const isHost = (agent: AgentId, nowMs: number, orders?: Orders) =>
    namesakes.isHost({ host: HOST, agent, epoch: 0, generation: 0 }, orders, nowMs);
  const rival = (nowMs: number) => namesakes.rivals(nowMs).get(HOST);
  return { namesakes, isHost, rival };
}

test("without orders the first that is heard is the host, until it falls silent", () => {
  const { isHost, rival } = heardAs();
  expect(isHost(FIRST, 0)).toBe(true);
  expect(isHost(SECOND, 10)).toBe(false);
  expect(rival(10)).toBe(SECOND);
  expect(isHost(SECOND, LIMIT_MS)).toBe(false);
  expect(isHost(SECOND, LIMIT_MS + 1)).toBe(true);
  expect(rival(LIMIT_MS + 1)).toBeUndefined();
  expect(isHost(FIRST, LIMIT_MS + 2)).toBe(false);
});

test("orders say it, whoever was heard before", () => {
  const { isHost, rival } = heardAs();
  expect(isHost(FIRST, 0)).toBe(true);
  expect(isHost(FIRST, 1, ordersFor(SECOND))).toBe(false);
  expect(isHost(SECOND, 2, ordersFor(SECOND))).toBe(true);
  expect(rival(2)).toBe(FIRST);
});

test("who is refused is known for as long as it is heard, the first of several", () => {
  const { namesakes, isHost, rival } = heardAs();
  const third = "agent-3" as AgentId;
  isHost(FIRST, 0, ordersFor(FIRST));
  isHost(SECOND, 0, ordersFor(FIRST));
  const known = namesakes.rivals(0);
  isHost(third, 1, ordersFor(FIRST));
  expect(namesakes.rivals(1)).toBe(known);
  expect(rival(LIMIT_MS)).toBe(SECOND);
  expect(rival(LIMIT_MS + 1)).toBeUndefined();
});
