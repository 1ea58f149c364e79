import { expect, test } from "vitest";
import { MAX_COMMIT_WRITES, MAX_ORDERS_BYTES } from "../store.ts";
import {
  eventually,
  fleet,
  fleetName,
  hostName,
  image,
  imageName,
  lead,
  orders,
  type Setup,
  soon,
  written,
} from "./fixtures.ts";

/** Writes of operators: compare-and-set, one value or several. */
export function controlContract(setup: Setup): void {
  test("a new store is empty, and nobody leads", async () => {
    await using world = await setup();
    const state = (await world.coordinator("c1")).control();
    expect(state.epoch).toEqual({ epoch: 0, base: 0, leader: "" });
    expect([state.fleets.size, state.images.size, state.hosts.size, state.orders.size]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test("who waits for the revision of a write reads what was written", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const revision = written(
      await c1.putFleets([{ value: fleet("web"), expectedRevision: 0 }], soon()),
    );
    await c1.caughtUp(revision, soon());
    expect(c1.control().fleets.get(fleetName("web"))).toEqual({ value: fleet("web"), revision });
    expect(c1.control().revision).toBeGreaterThanOrEqual(revision);
  });

  test("who catches up reads whatever was acknowledged before, by whomever", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    for (let at = 0; at < 20; at += 1) {
      const name = `web${at}`;
      written(await c1.putFleets([{ value: fleet(name), expectedRevision: 0 }], soon()));
      await c2.catchUp(soon());
      expect(c2.control().fleets.has(fleetName(name))).toBe(true);
    }
    expect(c2.control().fleets.size).toBe(20);
  });

  test("a state that was handed out does not change", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const before = c1.control();
    const outcome = await c1.putImage(image("debian"), 0, soon());
    await c1.caughtUp(written(outcome), soon());
    expect(before.images.size).toBe(0);
    expect(c1.control().images.size).toBe(1);
  });

  test("a write that names another revision than the present one changes nothing", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const host = { name: hostName("h1"), admin: "active", confirmedLost: undefined } as const;
    const first = written(await c1.putHost(host, 0, soon()));
    expect(await c1.putHost({ ...host, admin: "draining" }, 0, soon())).toEqual({
      kind: "conflict",
    });
    const second = written(await c1.putHost({ ...host, admin: "draining" }, first, soon()));
    expect(second).toBeGreaterThan(first);
    expect(await c1.putHost(host, first, soon())).toEqual({ kind: "conflict" });
    await c1.caughtUp(second, soon());
    expect(c1.control().hosts.get(host.name)?.value.admin).toBe("draining");
  });

  test("of many who write the same revision exactly one succeeds", async () => {
    await using world = await setup();
    const all = await Promise.all(["c1", "c2", "c3"].map((id) => world.coordinator(id)));
    const outcomes = await Promise.all(all.map((c) => c.putImage(image("debian"), 0, soon())));
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(["conflict", "conflict", "written"]);
  });

  test("fleets are written all or none", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const put = (names: readonly string[]) =>
      c1.putFleets(
        names.map((name) => ({ value: fleet(name), expectedRevision: 0 })),
        soon(),
      );
    const first = written(await put(["a", "b"]));
    expect(await put(["c", "a", "d"])).toEqual({ kind: "conflict" });
    expect(await put(["f", "f"])).toEqual({ kind: "conflict" });
    written(await put([]));
    const last = written(await put(["e"]));
    await c1.caughtUp(last, soon());
    expect([...c1.control().fleets.keys()].sort()).toEqual(["a", "b", "e"]);
    expect(c1.control().fleets.get(fleetName("b"))?.revision).toBe(first);
  });

  test("more fleets at once than one batch holds are refused", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const names = Array.from({ length: MAX_COMMIT_WRITES + 1 }, (_, index) => `f${index}`);
    const writes = names.map((name) => ({ value: fleet(name), expectedRevision: 0 }));
    await expect(c1.putFleets(writes, soon())).rejects.toMatchObject({ code: "tooLarge" });
  });

  test("an image that was removed can be created again, expecting 0", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const name = imageName("debian-12.5");
    expect(await c1.removeImage(name, 0, soon())).toEqual({ kind: "conflict" });
    const first = written(await c1.putImage(image(name), 0, soon()));
    expect(await c1.removeImage(name, first + 1, soon())).toEqual({ kind: "conflict" });
    const removed = written(await c1.removeImage(name, first, soon()));
    await c1.caughtUp(removed, soon());
    expect(c1.control().images.has(name)).toBe(false);
    expect(await c1.removeImage(name, first, soon())).toEqual({ kind: "conflict" });
    const again = written(await c1.putImage(image(name), 0, soon()));
    await c1.caughtUp(again, soon());
    expect(c1.control().images.get(name)).toEqual({ value: image(name), revision: again });
  });

  test("a coordinator that comes later knows what was written and removed before", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const first = written(await c1.putImage(image("debian"), 0, soon()));
    written(await c1.removeImage(imageName("debian"), first, soon()));
    const epoch = written(await c1.claimEpoch("c1", 0, soon()));
    const c2 = await world.coordinator("c2");
    await c2.caughtUp(epoch, soon());
    expect(c2.control().epoch).toEqual({ epoch, base: 0, leader: "c1" });
    expect(c2.control().images.size).toBe(0);
    written(await c2.putImage(image("debian"), 0, soon()));
  });

  test("another coordinator is woken by a write, and sees it", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const seen = eventually(
      (wake, signal) => c2.watch(wake, signal),
      () => c2.control().fleets.has(fleetName("web")),
    );
    written(await c1.putFleets([{ value: fleet("web"), expectedRevision: 0 }], soon()));
    await seen;
  });

  test("a call whose signal has fired is cancelled", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const over = AbortSignal.abort();
    await expect(c1.putImage(image("debian"), 0, over)).rejects.toMatchObject({
      code: "cancelled",
    });
    await expect(c1.caughtUp(1_000_000, over)).rejects.toMatchObject({ code: "cancelled" });
  });
}

/** The epoch, and commits fenced by it. */
export function commitContract(setup: Setup): void {
  test("the epoch goes to one who names the present one, and grows", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const outcomes = await Promise.all([
      c1.claimEpoch("c1", 0, soon()),
      c2.claimEpoch("c2", 0, soon()),
    ]);
    const epochs = outcomes.filter(({ kind }) => kind === "written").map(written);
    expect(epochs).toHaveLength(1);
    const next = written(await c2.claimEpoch("c2", epochs[0] ?? 0, soon()));
    expect(next).toBeGreaterThan(epochs[0] ?? 0);
    await c1.caughtUp(next, soon());
    expect(c1.control().epoch).toEqual({ epoch: next, base: 0, leader: "c2" });
  });

  test("a commit writes orders and forgets fleets", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const put = await c1.putFleets([{ value: fleet("old"), expectedRevision: 0 }], soon());
    const outcome = await c1.commit(
      {
        epoch,
        orders: [
          { value: orders("h1", epoch, 1), expectedRevision: 0 },
          { value: orders("h2", epoch, 1), expectedRevision: 0 },
        ],
        fleets: [],
        forgottenFleets: [{ name: fleetName("old"), expectedRevision: written(put) }],
      },
      soon(),
    );
    if (outcome.kind !== "committed") throw new Error(outcome.reason);
    await c1.caughtUp(outcome.revision, soon());
    const state = c1.control();
    expect([...state.orders.keys()].sort()).toEqual(["h1", "h2"]);
    expect(state.orders.get(hostName("h2"))?.value).toEqual(orders("h2", epoch, 1));
    expect(state.fleets.size).toBe(0);
  });

  test("a commit changes fleets together with orders, or neither", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const before = written(
      await c1.putFleets([{ value: fleet("web"), expectedRevision: 0 }], soon()),
    );
    const commit = (host: string, expectedRevision: number) =>
      c1.commit(
        {
          epoch,
          orders: [{ value: orders(host, epoch, 1), expectedRevision: 0 }],
          fleets: [{ value: fleet("web", 7), expectedRevision }],
          forgottenFleets: [],
        },
        soon(),
      );
    expect(await commit("h1", before + 1)).toMatchObject({ kind: "rejected" });
    const outcome = await commit("h2", before);
    if (outcome.kind !== "committed") throw new Error(outcome.reason);
    await c1.caughtUp(outcome.revision, soon());
    const state = c1.control();
    expect([...state.orders.keys()]).toEqual(["h2"]);
    expect(state.fleets.get(fleetName("web"))?.value).toEqual(fleet("web", 7));
    expect(await commit("h3", before)).toMatchObject({ kind: "rejected" });
  });

  test("one wrong revision refuses the whole commit", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const commit = (hosts: Record<string, number>) =>
      c1.commit(
        {
          epoch,
          orders: Object.entries(hosts).map(([host, expectedRevision]) => ({
            value: orders(host, epoch, 1),
            expectedRevision,
          })),
          fleets: [],
          forgottenFleets: [],
        },
        soon(),
      );
    expect(await commit({ h1: 0 })).toMatchObject({ kind: "committed" });
    expect(await commit({ h2: 0, h1: 0, h3: 0 })).toMatchObject({ kind: "rejected" });
    expect(await commit({ h4: 7 })).toMatchObject({ kind: "rejected" });
    const last = await commit({ h5: 0 });
    if (last.kind !== "committed") throw new Error(last.reason);
    await c1.caughtUp(last.revision, soon());
    expect([...c1.control().orders.keys()].sort()).toEqual(["h1", "h5"]);
  });

  test("a wrong revision of a forgotten fleet refuses the commit", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    written(await c1.putFleets([{ value: fleet("web"), expectedRevision: 0 }], soon()));
    const outcome = await c1.commit(
      {
        epoch,
        orders: [{ value: orders("h1", epoch, 1), expectedRevision: 0 }],
        fleets: [],
        forgottenFleets: [{ name: fleetName("web"), expectedRevision: 1_000 }],
      },
      soon(),
    );
    expect(outcome).toMatchObject({ kind: "rejected", reason: expect.any(String) });
    expect((await world.coordinator("c2")).control().orders.size).toBe(0);
  });

  test("who lost the epoch commits nothing more, whatever it knows", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const old = await lead(c1, "c1");
    await c2.caughtUp(old, soon());
    const epoch = await lead(c2, "c2");
    const commit = (by: typeof c1, epochOf: number, host: string) =>
      by.commit(
        {
          epoch: epochOf,
          orders: [{ value: orders(host, epochOf, 1), expectedRevision: 0 }],
          fleets: [],
          forgottenFleets: [],
        },
        soon(),
      );
    expect(await commit(c1, old, "h1")).toMatchObject({ kind: "rejected" });
    expect(await commit(c2, epoch, "h1")).toMatchObject({ kind: "committed" });
    expect(await commit(c1, old, "h2")).toMatchObject({ kind: "rejected" });
    expect(await commit(c1, 0, "h2")).toMatchObject({ kind: "rejected" });
  });

  test("an empty commit still tells whether the epoch holds", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const commit = (of: number) =>
      c1.commit({ epoch: of, orders: [], fleets: [], forgottenFleets: [] }, soon());
    expect(await commit(epoch)).toMatchObject({ kind: "committed" });
    expect(await commit(epoch - 1)).toMatchObject({ kind: "rejected" });
  });

  test("orders above the limit are refused, naming the host and the size", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const commit = c1.commit(
      {
        epoch,
        orders: [
          { value: orders("h1", epoch, 1), expectedRevision: 0 },
          { value: orders("crowded", epoch, 1, 10_000), expectedRevision: 0 },
        ],
        fleets: [],
        forgottenFleets: [],
      },
      soon(),
    );
    const message = new RegExp(`crowded.* \\d{6,} bytes.*${MAX_ORDERS_BYTES}`);
    await expect(commit).rejects.toMatchObject({
      code: "tooLarge",
      message: expect.stringMatching(message),
    });
  });

  test("a commit of more writes than one batch holds is refused", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const hosts = Array.from({ length: MAX_COMMIT_WRITES + 1 }, (_, index) => `h${index}`);
    const writes = hosts.map((host) => ({ value: orders(host, epoch, 1), expectedRevision: 0 }));
    const commit = c1.commit({ epoch, orders: writes, fleets: [], forgottenFleets: [] }, soon());
    await expect(commit).rejects.toMatchObject({ code: "tooLarge" });
    const most = await c1.commit(
      { epoch, orders: writes.slice(0, MAX_COMMIT_WRITES), fleets: [], forgottenFleets: [] },
      soon(),
    );
    expect(most).toMatchObject({ kind: "committed" });
  });
}
