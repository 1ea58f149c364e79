import type { AgentId } from "@evm/fleet";
import { StoreError } from "@evm/store";
import { expect, test } from "vitest";
import { AGENT_ID_FILE, loadAgentId } from "./agent-id.ts";
import { AGENT, AgentWorld, HOST, MemoryStateDir, web } from "./agent-world.testing.ts";

const OTHER = "agent-2" as AgentId;
const soon = () => AbortSignal.timeout(20_000);

/** Orders for the other machine of this name. */
const orderOther = (world: AgentWorld, generation?: number) =>
  world.order([{}], {}, generation, OTHER);

const isAnswering = async (world: AgentWorld): Promise<boolean> => {
  try {
    await using _stream = await world.coordinator.openVerb(
      HOST,
      "orders",
      new Uint8Array(),
      soon(),
    );
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
};

test("an id is made once, and kept", async () => {
  const stateDir = new MemoryStateDir();
  expect(await loadAgentId(stateDir, () => "one")).toBe("one");
  expect(await loadAgentId(stateDir, () => "two")).toBe("one");
});

test("an id that cannot be kept or understood is an error", async () => {
  const full = new MemoryStateDir();
  full.isFull = true;
  await expect(loadAgentId(full, () => "one")).rejects.toThrow("no space left");
  const odd = new MemoryStateDir();
  odd.files.set(AGENT_ID_FILE, Buffer.from("?"));
  await expect(loadAgentId(odd, () => "one")).rejects.toThrow('"?" is no id of an agent');
});

test("orders for another machine of this name are left alone, and it is told why", async () => {
  await using world = new AgentWorld();
  await orderOther(world);
  world.start();
  await world.clock.advance(60_000);
  expect([world.states(), world.report()]).toEqual([{}, undefined]);
  expect(await isAnswering(world)).toBe(false);
  const [event, ...more] = await world.events("OrdersRefused");
  expect(event?.text).toMatch(/for agent agent-2, this is agent-1: another machine has the name/);
  expect(more).toEqual([]);
  expect(await world.metrics.registry.metrics()).toContain("evm_agent_refused 1");
});

test("once they are for this one it takes the host over", async () => {
  await using world = new AgentWorld();
  await orderOther(world);
  world.start();
  await world.clock.advance(3_000);
  await world.order([{}]);
  await world.clock.advance(3_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  expect(world.report()).toMatchObject({ agent: AGENT, generation: 2 });
  expect(await isAnswering(world)).toBe(true);
  expect(await world.metrics.registry.metrics()).toContain("evm_agent_refused 0");
});

test("who was replaced goes on by the orders that it has, and tells nobody of it", async () => {
  await using world = new AgentWorld();
  await world.order([{}, { index: 1 }]);
  world.start();
  await world.clock.advance(5_000);
  const before = world.report();
  await orderOther(world);
  await world.clock.advance(1_000);
  world.runtime.crash(web(1));
  await world.clock.advance(60_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "ready" });
  expect(world.report()).toEqual(before);
  expect(await isAnswering(world)).toBe(false);

  await world.order([{}]);
  await world.clock.advance(15_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready", "web-0001.1": "exited" });
  expect(world.report()).toMatchObject({ generation: 3 });
});

test("where there are none any more, nobody is another machine", async () => {
  await using world = new AgentWorld();
  await orderOther(world);
  world.start();
  await world.clock.advance(3_000);
  expect(await isAnswering(world)).toBe(false);
  world.forget();
  await world.clock.advance(31_000);
  expect(await isAnswering(world)).toBe(true);
  expect(world.report()).toMatchObject({ agent: AGENT, generation: 0 });
});

test("what is to stop in isolation stops on a machine that was replaced", async () => {
  await using world = new AgentWorld();
  await world.order([{}], { onIsolation: "stop" });
  world.start();
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ "web-0000.1": "ready" });
  await orderOther(world);
  world.leaseMs = undefined;
  await world.clock.advance(6_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
});

test("orders on disk that were another's are not taken up", async () => {
  await using world = new AgentWorld();
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  await world.stop();
  world.cutOff();
  world.id = OTHER;
  world.runtime.crash(web(0));
  world.start();
  await world.clock.advance(60_000);
  expect(world.states()).toEqual({ "web-0000.1": "exited" });
  expect(world.stateDir.files.has("orders.binpb.unreadable")).toBe(true);
});
