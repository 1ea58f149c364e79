import { expect, test } from "vitest";
import { hostName, image, lead, orders, report, soon, written } from "../contract/fixtures.ts";
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

const restored = { fleets: [], images: [], hosts: [], by: "c2" } as const;

test("once all is lost revisions begin anew; who was connected knows what it knew", async () => {
  const store = createMemoryStore();
  const [c1, h1] = [store.coordinator("c1"), store.host(hostName("h1"))];
  await lead(c1, "c1");
  await c1.putImage(image("debian"), 0, soon());
  await h1.putReport(report("h1"), soon());
  const before = c1.control();
  store.loseControl();
  const c2 = store.coordinator("c2");
  expect([c2.control().revision, c2.control().epoch.epoch, c2.reports().size]).toEqual([0, 0, 0]);
  expect(await lead(c2, "c2")).toBe(1);
  expect([c1.control(), c1.reports().size]).toEqual([before, 1]);
  await h1.putReport(report("h1", 2_000), soon());
  expect(c1.reports().get(h1.host)).toEqual(c2.reports().get(h1.host));
});

test("a backup that is put back has its epoch and revisions; hosts read its orders", async () => {
  const store = createMemoryStore();
  const [c1, h1] = [store.coordinator("c1"), store.host(hostName("h1"))];
  const epoch = await lead(c1, "c1");
  const order = (generation: number, expectedRevision: number) => ({
    epoch,
    orders: [{ value: orders("h1", epoch, generation), expectedRevision }],
    fleets: [],
    forgottenFleets: [],
  });
  await c1.commit(order(1, 0), soon());
  const backup = c1.control();
  await c1.commit(order(2, backup.revision), soon());
  const woken = Promise.withResolvers<void>();
  h1.watchOrders(() => woken.resolve(), soon());
  await h1.putReport(report("h1"), soon());
  store.loseControl(backup);
  await woken.promise;
  expect((await h1.readOrders(soon()))?.generation).toBe(1);
  const c2 = store.coordinator("c2");
  expect(c2.control()).toEqual(backup);
  expect(c2.reports().size).toBe(1);
  expect(c1.control().orders.get(h1.host)?.value.generation).toBe(2);
  // What the old leader plans on is not there any more; once it is overtaken it sees what is.
  const outcome = await c1.commit(order(3, c1.control().revision), soon());
  expect(outcome.kind).toBe("rejected");
  const base = 1_000;
  await c2.restore({ ...restored, epoch, base, orders: [] }, soon());
  expect(c2.control().epoch.epoch).toBe(base + backup.revision + 1);
  await lead(c2, "c2");
  expect(c1.control()).toEqual(c2.control());
});

test("who knows what the store has lost hears so by writing, and writes no more (S5)", async () => {
  const store = createMemoryStore();
  const c1 = store.coordinator("c1");
  const epoch = await lead(c1, "c1");
  const backup = c1.control();
  await c1.putImage(image("debian"), 0, soon());
  const confirm = () => c1.commit({ epoch, orders: [], fleets: [], forgottenFleets: [] }, soon());
  expect((await confirm()).kind).toBe("committed");
  store.loseControl(backup);
  const wentBack = { code: "corrupt", message: expect.stringContaining("revision 2 to 1") };
  await expect(confirm()).rejects.toMatchObject(wentBack);
  await expect(c1.putImage(image("alpine"), 0, soon())).rejects.toMatchObject(wentBack);
  expect(store.coordinator("c1").control()).toEqual(backup);
});
