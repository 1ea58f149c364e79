import { setTimeout } from "node:timers/promises";
import { jetstreamManager, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startNatsCluster, startNatsServer } from "../../../../test/support/nats-server.ts";
import { describeIf, natsServer } from "../../../../test/support/requires.ts";
import { TcpProxy } from "../../test/tcp-proxy.ts";
import {
  bytes,
  collect,
  event,
  eventually,
  heard,
  hostName,
  image,
  imageName,
  lead,
  orders,
  query,
  report,
  soon,
  written,
} from "../contract/fixtures.ts";
import { EventOutbox, MAX_OUTBOX_EVENTS } from "../event-outbox.ts";
import { type EventRecord, type StoreConnection, StoreError } from "../store.ts";
import { MAX_BATCH_MESSAGES, publishBatch } from "./atomic-batch.ts";
import { connectCoordinator } from "./coordinator.ts";
import { FIRST_MESSAGE_MS, IDLE_HEARTBEAT_MS } from "./follow.ts";
import { connectHost } from "./host.ts";
import { Link, REQUEST_DEADLINE_MS } from "./link.ts";

const h1 = hostName("h1");
const onError = () => {};
const coordinator = (servers: readonly string[], id = "c1") =>
  connectCoordinator({ servers, id, signal: soon(), onError });
const host = (servers: readonly string[]) =>
  connectHost({ servers, host: h1, signal: soon(), onError });

/** Longer than a stream's leader is ever missed; a step that takes longer hangs. */
const FAILOVER_LIMIT_MS = 30_000;
const RETRY_PAUSE_MS = 100;

/** What a loop of ours does in an outage: tries again until the store is back. */
async function onceAvailable<Result>(call: () => Promise<Result>): Promise<Result> {
  const deadline = AbortSignal.timeout(FAILOVER_LIMIT_MS);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "unavailable")) throw error;
      await setTimeout(RETRY_PAUSE_MS, undefined, { signal: deadline });
    }
  }
}

describeIf([natsServer], "a server that crashes", () => {
  test("loses nothing that was acknowledged, and its clients carry on", async () => {
    await using server = await startNatsServer();
    const servers = [server.url];
    await using c1 = await coordinator(servers);
    await using agent = await host(servers);
    const epoch = await lead(c1, "c1");
    const commit = (generation: number, expectedRevision: number) =>
      c1.commit(
        {
          epoch,
          orders: [{ value: orders("h1", epoch, generation), expectedRevision }],
          fleets: [],
          forgottenFleets: [],
        },
        soon(),
      );
    expect(await commit(1, 0)).toMatchObject({ kind: "committed" });

    const acknowledged: string[] = [];
    let stopped = Promise.resolve();
    const writing = (async () => {
      for (let index = 0; ; index++) {
        written(await c1.putImage(image(`i${index}`), 0, soon()));
        acknowledged.push(`i${index}`);
        if (index === 20) stopped = server.stop();
      }
    })();
    await expect(writing).rejects.toMatchObject({ code: "unavailable" });
    await stopped;
    await server.start();

    await eventually(
      (wake, signal) => agent.watchOrders(wake, signal),
      () => agent.isConnected,
    );
    expect(await onceAvailable(() => agent.readOrders(soon()))).toEqual(orders("h1", epoch, 1));
    await onceAvailable(() => agent.putReport(report("h1", 7), soon()));
    const next = written(await onceAvailable(() => c1.claimEpoch("c1", epoch, soon())));
    await c1.caughtUp(next, soon());

    await using c2 = await coordinator(servers, "c2");
    for (const each of [c1, c2]) {
      const images = each.control().images;
      expect(acknowledged.filter((name) => !images.has(imageName(name)))).toEqual([]);
      await eventually(
        (wake, signal) => each.watch(wake, signal),
        () => each.reports().get(h1)?.reportedAt === 7,
      );
    }
  });
});

describeIf([natsServer], "a server that comes back with a backup", () => {
  test("is written to no more by whoever knows later writes (S5)", async () => {
    await using server = await startNatsServer();
    await using c1 = await coordinator([server.url]);
    const epoch = await lead(c1, "c1");
    await server.stop();
    await server.backUpData();
    await server.start();
    const image1 = await onceAvailable(() => c1.putImage(image("a"), 0, soon()));
    await c1.caughtUp(written(image1), soon());
    await server.stop();
    await server.putBackData();
    await server.start();

    // The epoch is the same, and nothing else that is expected is different in the backup.
    const request = {
      epoch,
      orders: [{ value: orders("h1", epoch, 1), expectedRevision: 0 }],
      fleets: [],
      forgottenFleets: [],
    };
    const corrupt = { code: "corrupt", message: expect.stringContaining("the store went back") };
    await expect(onceAvailable(() => c1.commit(request, soon()))).rejects.toMatchObject(corrupt);
    await expect(c1.putImage(image("b"), 0, soon())).rejects.toMatchObject(corrupt);
    await expect(c1.claimEpoch("c1", epoch, soon())).rejects.toMatchObject(corrupt);

    await using c2 = await coordinator([server.url], "c2");
    expect(c2.control()).toMatchObject({ epoch: { epoch }, orders: new Map(), images: new Map() });
  });
});

describeIf([natsServer], "an outage of the server", () => {
  test("delays events of hosts and coordinators, in order; what did not fit is told", async () => {
    await using server = await startNatsServer();
    await using c1 = await coordinator([server.url]);
    await using agent = await host([server.url]);
    const [few, many] = [3, MAX_OUTBOX_EVENTS + 2];
    const end = new AbortController();
    const outboxOf = (store: StoreConnection, source: EventRecord["source"]) =>
      new EventOutbox({
        store,
        droppedEvent: (count) => event(`${count} dropped`, { source }),
        pause: (signal) => setTimeout(RETRY_PAUSE_MS, undefined, { signal }),
      });
    const [own, hosts] = [outboxOf(c1, "coordinator/c1"), outboxOf(agent, "host/h1")];
    await server.stop();
    const running = [own, hosts].map((outbox) => outbox.run(end.signal).catch(() => undefined));
    const fill = (outbox: EventOutbox, count: number, source: EventRecord["source"]) => {
      for (let at = 0; at < count; at += 1) outbox.add(event(`${at}`, { source }));
    };
    fill(hosts, many, "host/h1");
    fill(own, few, "coordinator/c1");
    await server.start();

    const isEmpty = () => own.length + hosts.length === 0;
    const deadline = AbortSignal.timeout(FAILOVER_LIMIT_MS);
    while (!isEmpty()) await setTimeout(RETRY_PAUSE_MS, undefined, { signal: deadline });
    const stored = await onceAvailable(() => c1.listEvents(query({ limit: 10_000 }), soon()));
    const textsOf = (source: string) => [
      // An append of which only the answer was lost comes twice.
      ...new Set(stored.flatMap((one) => (one.event.source === source ? [one.event.text] : []))),
    ];
    expect(textsOf("coordinator/c1")).toEqual(["0", "1", "2"]);
    const kept = Array.from({ length: MAX_OUTBOX_EVENTS }, (_, at) => `${at + 2}`);
    expect(textsOf("host/h1")).toEqual(["2 dropped", ...kept]);
    end.abort();
    await Promise.all(running);
  });
});

describeIf([natsServer], "a cluster that loses the stream's leader", () => {
  test("takes writes again, keeps what it had, and still fences", async () => {
    await using cluster = await startNatsCluster(3);
    await using c1 = await coordinator(cluster.urls);
    await using c2 = await coordinator(cluster.urls, "c2");
    await using agent = await host(cluster.urls);
    const epoch = await lead(c1, "c1");
    const commit = (by: typeof c1, of: number, name: string) =>
      onceAvailable(() =>
        by.commit(
          {
            epoch: of,
            orders: [{ value: orders(name, of, 1), expectedRevision: 0 }],
            fleets: [],
            forgottenFleets: [],
          },
          soon(),
        ),
      );
    expect(await commit(c1, epoch, "h1")).toMatchObject({ kind: "committed" });

    const { config, leader } = await controlStream(cluster.urls);
    expect(config).toMatchObject({ num_replicas: 3, allow_atomic: true });
    await cluster.servers[Number(leader.slice(1)) - 1]?.stop();

    // Rejected, where an attempt that was not answered had been stored all the same.
    const second = await commit(c1, epoch, "h2");
    expect(["committed", "rejected"]).toContain(second.kind);
    const next = written(await onceAvailable(() => c2.claimEpoch("c2", epoch, soon())));
    expect(await commit(c1, epoch, "h3")).toMatchObject({ kind: "rejected" });
    expect(await commit(c2, next, "h3")).toMatchObject({ kind: "committed" });
    expect(await onceAvailable(() => agent.readOrders(soon()))).toEqual(orders("h1", epoch, 1));
    await eventually(
      (wake, signal) => c1.watch(wake, signal),
      () => c1.control().orders.size === 3,
    );
    expect(c1.control().epoch).toEqual({ epoch: next, base: 0, leader: "c2" });
  });
});

describeIf([natsServer], "a server that does not do as asked", () => {
  test.each<[string, Partial<StreamConfig>]>([
    ["allow_atomic", { allow_atomic: false }],
    ["republish", { republish: { src: "$KV.control.x", dest: "y" } }],
    ["max_msgs_per_subject", { max_msgs_per_subject: 5 }],
    ["allow_direct", { allow_direct: true }],
  ])("is refused for %s, naming the stream, the setting and what to install", async (name, own) => {
    await using server = await startNatsServer();
    await using good = await coordinator([server.url]);
    await good[Symbol.asyncDispose]();
    await recreateControl(server.url, own);
    await expect(coordinator([server.url])).rejects.toMatchObject({
      code: "unsuitable",
      message: expect.stringMatching(new RegExp(`KV_control: ${name} is .*install nats-server`)),
    });
  });
});

describeIf([natsServer], "a question that a server without a leader drops", () => {
  /** A request that is not repeated would have no answer by then. */
  const soonEnough = () => AbortSignal.timeout(REQUEST_DEADLINE_MS - 1_000);

  test.each([
    ["setting up a stream", "$JS.API.STREAM.INFO.KV_control"],
    ["setting up the blobs", "$JS.API.STREAM.INFO.OBJ_blobs"],
    ["before the streams are followed", "$JS.API.INFO"],
  ])("%s is asked again", async (_, subject) => {
    await using server = await startNatsServer();
    await using proxy = await TcpProxy.to(server.url);
    await using first = await coordinator([server.url]);
    written(await first.putImage(image("a"), 0, soon()));
    await first[Symbol.asyncDispose]();
    proxy.lose(subject);
    const signal = soonEnough();
    await using _c1 = await connectCoordinator({ servers: [proxy.url], id: "c1", signal, onError });
    expect(proxy.toLose).toEqual([]);
  });

  test("for orders and for the newest event is asked again", async () => {
    await using server = await startNatsServer();
    await using proxy = await TcpProxy.to(server.url);
    await using c1 = await coordinator([proxy.url]);
    await using agent = await host([proxy.url]);
    proxy.lose("$JS.API.STREAM.MSG.GET.KV_control");
    expect(await agent.readOrders(soonEnough())).toBeUndefined();
    proxy.lose("$JS.API.STREAM.INFO.events");
    expect(await c1.listEvents(query({}), soonEnough())).toEqual([]);
    expect(proxy.toLose).toEqual([]);
  });
});

describeIf([natsServer], "a consumer that does not hear that it is to begin", () => {
  test("is made anew before its heartbeats are missed", async () => {
    await using server = await startNatsServer();
    await using proxy = await TcpProxy.to(server.url);
    await using c1 = await coordinator([server.url]);
    written(await c1.putImage(image("a"), 0, soon()));
    const tookMs: number[] = [];
    // The best of three: a busy machine makes any of them late.
    for (let attempt = 0; attempt < 3; attempt++) {
      proxy.lose("$JS.API.CONSUMER.MSG.NEXT.KV_control.");
      const begunMs = performance.now();
      await using _c2 = await coordinator([proxy.url], "c2");
      tookMs.push(performance.now() - begunMs);
      expect(proxy.toLose).toEqual([]);
    }
    const bestMs = Math.min(...tookMs);
    expect(bestMs).toBeGreaterThan(FIRST_MESSAGE_MS);
    expect(bestMs).toBeLessThan(2 * IDLE_HEARTBEAT_MS);
  });
});

describeIf([natsServer], "a connection that breaks", () => {
  test("in the middle of a batch leaves nothing of it", async () => {
    await using server = await startNatsServer();
    await using proxy = await TcpProxy.to(server.url);
    await using c1 = await coordinator([proxy.url]);
    await using c2 = await coordinator([server.url], "c2");
    const epoch = await lead(c1, "c1");
    const writes = Array.from({ length: 50 }, (_, index) => ({
      value: orders(`h${index}`, epoch, 1, 500),
      expectedRevision: 0,
    }));
    const request = { epoch, orders: writes, fleets: [], forgottenFleets: [] };
    proxy.cutBefore("Nats-Batch-Commit");
    await expect(c1.commit(request, soon())).rejects.toMatchObject({ code: "unavailable" });

    const revision = written(await c2.putImage(image("later"), 0, soon()));
    expect(revision).toBe(epoch + 1);
    await c2.caughtUp(revision, soon());
    expect(c2.control().orders.size).toBe(0);
    expect(await onceAvailable(() => c1.commit(request, soon()))).toMatchObject({
      kind: "committed",
    });
  });

  test("without a word ends the open verbs of both sides", async () => {
    await using server = await startNatsServer();
    await using proxy = await TcpProxy.to(server.url);
    await using c1 = await coordinator([server.url]);
    await using agent = await host([proxy.url]);
    const ended = Promise.withResolvers<void>();
    agent.serveVerb(
      "console",
      async (_, stream, signal) => {
        signal.addEventListener("abort", () => ended.resolve());
        await stream.send(bytes("login: "));
        await collect(stream.incoming);
      },
      soon(),
    );
    await heard(agent);
    const stream = await c1.openVerb(h1, "console", bytes(""), soon());
    proxy.freeze();
    await expect(collect(stream.incoming)).rejects.toMatchObject({ code: "unavailable" });
    await ended.promise;
  });
});

describeIf([natsServer], "an atomic batch", () => {
  const subject = (key: string) => `$KV.control.fleets.${key}`;
  const message = (key: string, sequence = 0) => ({
    subject: subject(key),
    payload: bytes("x"),
    expected: { sequence, of: subject(key) },
    isRemoval: false,
  });

  test("is refused whole for one wrong revision, and for more messages than it holds", async () => {
    await using server = await startNatsServer();
    await using _ = await coordinator([server.url]);
    const options = { servers: [server.url], name: "test", inboxPrefix: "_INBOX", onError };
    await using link = await Link.open(options, soon());
    const publish = (messages: Parameters<typeof publishBatch>[2]) =>
      publishBatch(link, "testing", messages, soon());

    expect(await publish([message("a"), message("b")])).toEqual({ kind: "stored", sequence: 2 });
    expect(await publish([message("c"), message("a"), message("d")])).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("wrong last sequence"),
    });
    expect(await publish([message("e"), message("e")])).toMatchObject({ kind: "refused" });
    const many = Array.from({ length: MAX_BATCH_MESSAGES + 1 }, (_, index) => message(`m${index}`));
    await expect(publish(many)).rejects.toMatchObject({
      code: "tooLarge",
      message: "testing: 1001 messages in one batch, JetStream takes 1000",
    });
    expect(await publish(many.slice(1))).toEqual({ kind: "stored", sequence: 1002 });
  });
});

async function controlStream(servers: readonly string[]) {
  const nats = await connect({ servers: [...servers] });
  try {
    const { config, cluster } = await (await jetstreamManager(nats)).streams.info("KV_control");
    return { config, leader: cluster?.leader ?? "" };
  } finally {
    await nats.close();
  }
}

/** Makes `control` anew, as a server that ignores a setting, or a stranger, would have made it. */
async function recreateControl(servers: string, own: Partial<StreamConfig>): Promise<void> {
  const nats = await connect({ servers });
  try {
    const { streams } = await jetstreamManager(nats);
    const { config } = await streams.info("KV_control");
    await streams.delete("KV_control");
    await streams.add({ ...config, storage: StorageType.File, ...own });
  } finally {
    await nats.close();
  }
}
