import type { Heartbeat, Ping } from "@evm/fleet";
import { expect, test } from "vitest";
import {
  agentOf,
  eventually,
  heard,
  hostName,
  lead,
  orders,
  report,
  type Setup,
  soon,
} from "./fixtures.ts";

/** What coordinators and hosts exchange: orders, reports, signs of life. */
export function hostContract(setup: Setup): void {
  test("a host reads its own orders, and none before the first", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const h1 = await world.host(hostName("h1"));
    expect(await h1.readOrders(soon())).toBeUndefined();
    const epoch = await lead(c1, "c1");
    const writes = ["h1", "h2"].map((host) => ({
      value: orders(host, epoch, 1),
      expectedRevision: 0,
    }));
    await c1.commit({ epoch, orders: writes, fleets: [], forgottenFleets: [] }, soon());
    expect(await h1.readOrders(soon())).toEqual(orders("h1", epoch, 1));
  });

  test("a host is woken by new orders", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const h1 = await world.host(hostName("h1"));
    const epoch = await lead(c1, "c1");
    const seen = eventually(
      (wake, signal) => h1.watchOrders(wake, signal),
      async () => (await h1.readOrders(soon()))?.generation === 1,
    );
    const write = { value: orders("h1", epoch, 1), expectedRevision: 0 };
    await c1.commit({ epoch, orders: [write], fleets: [], forgottenFleets: [] }, soon());
    await seen;
  });

  test("every coordinator sees the newest report of every host", async () => {
    await using world = await setup();
    const [h1, h2] = [await world.host(hostName("h1")), await world.host(hostName("h2"))];
    await h1.putReport(report("h1", 1), soon());
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    await h1.putReport(report("h1", 2), soon());
    await h2.putReport(report("h2", 3), soon());
    for (const coordinator of [c1, c2]) {
      await eventually(
        (wake, signal) => coordinator.watch(wake, signal),
        () =>
          coordinator.reports().get(hostName("h1"))?.reportedAt === 2 &&
          coordinator.reports().has(hostName("h2")),
      );
      expect(coordinator.reports().get(hostName("h2"))).toEqual(report("h2", 3));
    }
  });

  test("a heartbeat is answered by the coordinator that leads, and by no other", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const h1 = await world.host(hostName("h1"));
    const beats: Heartbeat[] = [];
    const over = new AbortController();
    c1.onHeartbeat(() => undefined, over.signal);
    c2.onHeartbeat((heartbeat) => {
      beats.push(heartbeat);
      return { epoch: 7, leaseMs: 6000 };
    }, over.signal);
    const heartbeat = { host: h1.host, agent: agentOf(h1.host), epoch: 0, generation: 3 };
    await Promise.all([heard(c1), heard(c2)]);
    expect(await h1.heartbeat(heartbeat, soon())).toEqual({ epoch: 7, leaseMs: 6000 });
    expect(beats).toEqual([heartbeat]);
    over.abort();
    await heard(c2);
    expect(await h1.heartbeat(heartbeat, soon())).toBeUndefined();
  });

  test("a heartbeat is not answered where nobody leads", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const h1 = await world.host(hostName("h1"));
    expect(
      await h1.heartbeat(
        { host: h1.host, agent: agentOf(h1.host), epoch: 0, generation: 0 },
        soon(),
      ),
    ).toBeUndefined();
    c1.onHeartbeat(() => undefined, soon());
    expect(
      await h1.heartbeat(
        { host: h1.host, agent: agentOf(h1.host), epoch: 0, generation: 0 },
        soon(),
      ),
    ).toBeUndefined();
  });

  test("a ping reaches the other coordinators, and not its sender", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    const own: Ping[] = [];
    const first = Promise.withResolvers<Ping>();
    const back = Promise.withResolvers<Ping>();
    c1.onPing((ping) => {
      if (ping.leader === "c1") own.push(ping);
      else back.resolve(ping);
    }, soon());
    c2.onPing((ping) => first.resolve(ping), soon());
    await Promise.all([heard(c1), heard(c2)]);
    c1.ping({ epoch: 5, leader: "c1" });
    expect(await first.promise).toEqual({ epoch: 5, leader: "c1" });
    c2.ping({ epoch: 6, leader: "c2" });
    expect(await back.promise).toEqual({ epoch: 6, leader: "c2" });
    expect(own).toEqual([]);
  });

  test("who has left is not connected", async () => {
    await using world = await setup();
    const h1 = await world.host(hostName("h1"));
    expect(h1.isConnected).toBe(true);
    await h1[Symbol.asyncDispose]();
    expect(h1.isConnected).toBe(false);
    await expect(h1.putReport(report("h1"), soon())).rejects.toMatchObject({
      code: "unavailable",
    });
  });
}
