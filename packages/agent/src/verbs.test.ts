import { hostConsoleRequestCodec, hostLogsRequestCodec, ordersCodec } from "@evm/codec";
import type { HostStream } from "@evm/store";
import { expect, test } from "vitest";
import { AgentWorld, HOST, web } from "./agent-world.testing.ts";

const soon = () => AbortSignal.timeout(20_000);

async function started(): Promise<AgentWorld> {
  const world = new AgentWorld({ output: "one\ntwo\n" });
  await world.order([{}]);
  world.start();
  await world.clock.advance(3_000);
  return world;
}

const logs = (world: AgentWorld, about: { tailLines?: number; incarnation?: number }) => {
  const { tailLines, incarnation = 0 } = about;
  const request = { instance: web(0).name, incarnation, tailLines, isFollowing: false };
  return world.coordinator.openVerb(HOST, "logs", hostLogsRequestCodec.encode(request), soon());
};

async function textOf(stream: HostStream): Promise<string> {
  let text = "";
  for await (const piece of stream.incoming) text += Buffer.from(piece).toString();
  return text;
}

test("the output of the newest incarnation is served, whole or its end", async () => {
  await using world = await started();
  expect(await textOf(await logs(world, {}))).toBe("one\ntwo\n");
  expect(await textOf(await logs(world, { tailLines: 1 }))).toBe("two\n");
});

test("output of what is not here is an error that says so", async () => {
  await using world = await started();
  const stream = await logs(world, { incarnation: 7 });
  await expect(textOf(stream)).rejects.toThrow("web-0000.7: it is not on this host");
});

test("a console passes on what is typed and shown, and ends with its reader", async () => {
  await using world = await started();
  const request = hostConsoleRequestCodec.encode({ instance: web(0).name, incarnation: 1 });
  await using console = await world.coordinator.openVerb(HOST, "console", request, soon());
  await console.send(Buffer.from("hello"));
  for await (const shown of console.incoming) {
    expect(Buffer.from(shown).toString()).toBe("hello");
    break;
  }
});

test("the orders in force are served, as they were accepted", async () => {
  await using world = await started();
  const stream = await world.coordinator.openVerb(HOST, "orders", new Uint8Array(), soon());
  const pieces: Uint8Array[] = [];
  for await (const piece of stream.incoming) pieces.push(piece);
  const stored = world.coordinator.control().orders.get(HOST)?.value;
  expect(ordersCodec.decode(Buffer.concat(pieces))).toEqual(stored);
});

test("a host that was never ordered anything has nothing to serve", async () => {
  await using world = new AgentWorld();
  world.start();
  await world.clock.advance(1_000);
  const stream = await world.coordinator.openVerb(HOST, "orders", new Uint8Array(), soon());
  expect(await textOf(stream)).toBe("");
});
