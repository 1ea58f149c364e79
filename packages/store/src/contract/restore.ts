import { expect, test } from "vitest";
import { type CoordinatorStore, MAX_COMMIT_WRITES, type RestoreRequest } from "../store.ts";
import {
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

const BASE = 1_000_000_000_000;

const nothing = { fleets: [], images: [], hosts: [], orders: [], base: BASE, by: "c1" } as const;

async function restore(
  coordinator: CoordinatorStore,
  request: Partial<RestoreRequest> & Pick<RestoreRequest, "epoch">,
): Promise<number> {
  const outcome = await coordinator.restore({ ...nothing, ...request }, soon());
  if (outcome.kind !== "committed") throw new Error(outcome.reason);
  await coordinator.caughtUp(outcome.revision, soon());
  return outcome.epoch;
}

const commit = (by: CoordinatorStore, epoch: number, host: string) =>
  by.commit(
    {
      epoch,
      orders: [{ value: orders(host, epoch, 1), expectedRevision: 0 }],
      fleets: [],
      forgottenFleets: [],
    },
    soon(),
  );

/** What a restore writes, and how it moves the epochs. */
export function restoreContract(setup: Setup): void {
  test("everything is written at once, with orders as they are, whatever their epoch", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const epoch = await lead(c1, "c1");
    const inForce = orders("h1", 77, 9);
    await restore(c1, {
      epoch,
      fleets: [{ value: fleet("web"), expectedRevision: 0 }],
      images: [{ value: image("debian"), expectedRevision: 0 }],
      hosts: [
        {
          value: { name: hostName("h2"), admin: "draining", confirmedLost: undefined },
          expectedRevision: 0,
        },
      ],
      orders: [{ value: inForce, expectedRevision: 0 }],
    });
    await c2.caughtUp(c1.control().revision, soon());
    const state = c2.control();
    expect(state.fleets.get(fleetName("web"))?.value).toEqual(fleet("web"));
    expect(state.images.get(imageName("debian"))?.value).toEqual(image("debian"));
    expect(state.hosts.get(hostName("h2"))?.value.admin).toBe("draining");
    expect(state.orders.get(hostName("h1"))?.value).toEqual(inForce);
    expect(await (await world.host(hostName("h1"))).readOrders(soon())).toEqual(inForce);
  });

  test("a base that was raised is in every epoch from then on", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const old = await lead(c1, "c1");
    const restored = await restore(c1, { epoch: old });
    const raised = c1.control().epoch;
    expect(raised).toEqual({ epoch: restored, base: BASE, leader: "c1" });
    expect(raised.epoch).toBeGreaterThan(BASE);

    await c2.caughtUp(c1.control().revision, soon());
    const outcome = await c2.claimEpoch("c2", raised.epoch, soon());
    if (outcome.kind !== "written") throw new Error("somebody else claimed it");
    expect(outcome.epoch).toBe(BASE + outcome.revision);
    expect(await commit(c2, outcome.epoch, "h1")).toMatchObject({ kind: "committed" });
    expect(await commit(c1, raised.epoch, "h2")).toMatchObject({ kind: "rejected" });
    expect(await commit(c1, old, "h2")).toMatchObject({ kind: "rejected" });
    // Known to who comes later, and kept.
    const c3 = await world.coordinator("c3");
    await c3.caughtUp(outcome.revision, soon());
    expect(c3.control().epoch).toEqual({ epoch: outcome.epoch, base: BASE, leader: "c2" });
    expect(await c3.claimEpoch("c3", raised.epoch, soon())).toEqual({ kind: "conflict" });
  });

  test("what takes several batches goes on under the epoch of the last", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    let epoch = await lead(c1, "c1");
    for (const name of ["h1", "h2"]) {
      const request = { ...nothing, orders: [{ value: orders(name, 7, 1), expectedRevision: 0 }] };
      const outcome = await c1.restore({ ...request, epoch }, soon());
      if (outcome.kind !== "committed") throw new Error(outcome.reason);
      epoch = outcome.epoch;
    }
    expect(await commit(c1, epoch, "h3")).toMatchObject({ kind: "committed" });
  });

  test("who claims twice in a row need not see the first claim before the second", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    await restore(c1, { epoch: await lead(c1, "c1") });
    const claim = async (expected: number): Promise<number> => {
      const outcome = await c1.claimEpoch("c1", expected, soon());
      if (outcome.kind !== "written") throw new Error("somebody else claimed it");
      return outcome.epoch;
    };
    const second = await claim(await claim(c1.control().epoch.epoch));
    expect(await commit(c1, second, "h1")).toMatchObject({ kind: "committed" });
  });

  test("one wrong revision refuses it whole, the raise of the base too", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const last = written(await c1.putImage(image("debian"), 0, soon()));
    const request = {
      ...nothing,
      epoch,
      fleets: [{ value: fleet("web"), expectedRevision: 0 }],
      images: [{ value: image("debian"), expectedRevision: 0 }],
    };
    expect(await c1.restore(request, soon())).toMatchObject({ kind: "rejected" });
    await c1.caughtUp(last, soon());
    expect(c1.control().epoch.base).toBe(0);
    expect(c1.control().fleets.size).toBe(0);
  });

  test("it is refused once another leads", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const epoch = await lead(c1, "c1");
    await c2.caughtUp(epoch, soon());
    const next = await lead(c2, "c2");
    expect(await c1.restore({ ...nothing, epoch }, soon())).toMatchObject({ kind: "rejected" });
    expect(c2.control().epoch).toEqual({ epoch: next, base: 0, leader: "c2" });
  });

  test("more writes than one batch holds are refused", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const epoch = await lead(c1, "c1");
    const names = Array.from({ length: MAX_COMMIT_WRITES + 1 }, (_, index) => `h${index}`);
    const writes = names.map((name) => ({ value: orders(name, 1, 1), expectedRevision: 0 }));
    const restored = c1.restore({ ...nothing, epoch, orders: writes }, soon());
    await expect(restored).rejects.toMatchObject({ code: "tooLarge" });
  });
}
