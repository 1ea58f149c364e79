import { expect, test } from "vitest";
import { hostName, image, report, soon, written } from "../contract/fixtures.ts";
import { storeContract } from "../contract.ts";
import { createMemoryStore } from "./memory-store.ts";

storeContract("the store in memory", async () => {
  const store = createMemoryStore();
  return {
    coordinator: async (id) => store.coordinator(id),
    host: async (name) => store.host(name),
    [Symbol.asyncDispose]: async () => {},
  };
});

test("who is cut off is refused, sees what it saw last, and catches up afterwards", async () => {
  const store = createMemoryStore();
  const [c1, c2] = [store.coordinator("c1"), store.coordinator("c2")];
  store.disconnect("coordinator/c1");
  expect(c1.isConnected).toBe(false);
  const revision = written(await c2.putImage(image("debian"), 0, soon()));
  expect(c1.control().images.size).toBe(0);
  await expect(c1.claimEpoch("c1", 0, soon())).rejects.toMatchObject({ code: "unavailable" });
  const caughtUp = c1.caughtUp(revision, soon());
  store.reconnect("coordinator/c1");
  await caughtUp;
  expect(c1.control().images.size).toBe(1);
});

test("a host is woken when it is back, and its streams do not survive the cut", async () => {
  const store = createMemoryStore();
  const [c1, h1] = [store.coordinator("c1"), store.host(hostName("h1"))];
  h1.serveVerb(
    "logs",
    (_, _stream, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    soon(),
  );
  const stream = await c1.openVerb(h1.host, "logs", new Uint8Array(), soon());
  store.disconnect("host/h1");
  await expect(stream.incoming[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "unavailable",
  });
  await expect(h1.putReport(report("h1"), soon())).rejects.toMatchObject({ code: "unavailable" });
  await expect(c1.openVerb(h1.host, "logs", new Uint8Array(), soon())).rejects.toMatchObject({
    code: "unavailable",
  });
  const woken = Promise.withResolvers<void>();
  h1.watchOrders(() => woken.resolve(), soon());
  store.reconnect("host/h1");
  await woken.promise;
});
