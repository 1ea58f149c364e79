import { createHash } from "node:crypto";
import { imageCodec } from "@evm/codec";
import {
  ActionKind,
  ApplyOutcome,
  ClusterService,
  EventService,
  FleetService,
  FleetState,
  HostAdmin,
  HostService,
  ImageService,
  InstanceService,
  Phase,
  RpcError,
} from "@evm/protocol";
import { expect, test } from "vitest";
import { micro, soon, startCluster, startHost, type TestCluster } from "../test/cluster.ts";

const web = (replicas: number, memoryMib = 256) => ({
  name: "web",
  replicas,
  template: {
    resources: { vcpuMillis: 100, memoryMib, diskMib: 10 },
    kind: {
      case: "container" as const,
      value: { source: { case: "image" as const, value: "web:1" } },
    },
  },
});

const linux = {
  name: "linux",
  replicas: 1,
  template: {
    resources: { vcpuMillis: 1_000, memoryMib: 96, diskMib: 100 },
    kind: { case: "vm" as const, value: { image: "micro" } },
  },
};

const apply = ({ client }: TestCluster, ...fleets: (ReturnType<typeof web> | typeof linux)[]) =>
  client.unary(FleetService.method.applyFleets, { fleets }, soon());

/** Follows the fleet until `isDone`. */
async function untilFleet(
  { client }: TestCluster,
  name: string,
  isDone: (ready: number, isGone: boolean) => boolean,
): Promise<void> {
  const { signal } = soon();
  let exists = false;
  for await (const change of client.serverStream(
    FleetService.method.watchFleets,
    { name },
    { signal },
  )) {
    if (change.isSynced && exists) continue;
    exists = change.fleet !== undefined;
    if (isDone(change.fleet?.ready ?? 0, !exists)) return;
  }
  throw new Error(`fleet ${name} did not get there`);
}

const failure = async (call: Promise<unknown>): Promise<RpcError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RpcError) return error;
  throw new Error("the call did not fail as it should", { cause: error });
};

test("a declared fleet is placed, shown, scaled and deleted", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const { client } = cluster;
  const { fleets } = await apply(cluster, web(3));
  expect(fleets.map((applied) => applied.outcome)).toEqual([ApplyOutcome.CREATED]);
  await untilFleet(cluster, "web", (ready) => ready === 3);

  const again = await apply(cluster, web(3));
  expect(again.fleets[0]?.outcome).toBe(ApplyOutcome.UNCHANGED);

  const page = { pageSize: 2, pageToken: "" };
  const first = await client.unary(InstanceService.method.listInstances, page, soon());
  expect(first.instances.map((i) => [i.name, i.host, i.phase])).toEqual([
    ["web-0000", "h1", Phase.READY],
    ["web-0001", "h1", Phase.READY],
  ]);
  const next = { pageSize: 2, pageToken: first.nextPageToken };
  const second = await client.unary(InstanceService.method.listInstances, next, soon());
  expect(second.instances.map((i) => i.name)).toEqual(["web-0002"]);
  expect(second.nextPageToken).toBe("");

  await client.unary(FleetService.method.scaleFleet, { name: "web", replicas: 1 }, soon());
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const { fleet } = await client.unary(FleetService.method.deleteFleet, { name: "web" }, soon());
  expect(fleet?.state).toBe(FleetState.DELETING);
  await untilFleet(cluster, "web", (_, isGone) => isGone);
  const left = await client.unary(FleetService.method.listFleets, {}, soon());
  expect(left.fleets.filter((item) => item.state === FleetState.ACTIVE)).toEqual([]);
});

test("a plan shows what would happen and changes nothing", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const { plan } = await cluster.client.unary(
    FleetService.method.planFleets,
    { fleets: [web(2, 512)] },
    soon(),
  );
  const kinds = plan?.actions.map((action) => [action.kind, action.instance]);
  expect(kinds).toContainEqual([ActionKind.CREATE, "web-0001"]);
  const { fleet } = await cluster.client.unary(
    FleetService.method.getFleet,
    { name: "web" },
    soon(),
  );
  expect(fleet?.spec?.replicas).toBe(1);
});

test("what does not fit waits, and says what turned hosts away", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  await apply(cluster, { ...web(1, 100_000), name: "big" });
  const reply = await cluster.client.unary(
    InstanceService.method.explainInstance,
    { name: "big-0000" },
    soon(),
  );
  expect(reply.instance?.phase).toBe(Phase.PENDING);
  expect(reply.instance?.reason).toMatch(/^no host admits it: needs 100000 MiB of memory; /);
  expect(reply.refusals.map((refusal) => [refusal.rule, refusal.hosts])).toEqual([["memory", 1]]);
  const status = await cluster.client.unary(ClusterService.method.getClusterStatus, {}, soon());
  expect(status.waiting.map((waiting) => waiting.instance)).toEqual(["big-0000"]);
  expect(status.leader).toBe("c1");
});

test("bad fields are all named at once, and nothing is changed", async () => {
  await using cluster = await startCluster();
  const error = await failure(
    apply(cluster, { ...web(1), name: "Web!" }, { ...web(200_000), name: "ok" }),
  );
  expect(error.code).toBe("invalidArgument");
  expect(error.violations.map((violation) => violation.field)).toEqual([
    "fleets[0].name",
    "fleets[1].replicas",
  ]);
  const { fleets } = await cluster.client.unary(FleetService.method.listFleets, {}, soon());
  expect(fleets).toEqual([]);
});

test("a VM needs its image in the catalog, and an image in use stays there", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const { client } = cluster;
  const missing = await failure(apply(cluster, linux));
  expect(missing.code).toBe("failedPrecondition");
  expect(missing.message).toContain('image "micro" is not in the catalog');

  const image = imageCodec.toWire(micro);
  await client.unary(ImageService.method.addImage, { image }, soon());
  await apply(cluster, linux);
  await untilFleet(cluster, "linux", (ready) => ready === 1);
  const inUse = await failure(
    client.unary(ImageService.method.removeImage, { name: "micro" }, soon()),
  );
  expect(inUse.message).toBe('image "micro": used by fleets linux');
});

test("writes that expect another revision are refused, but where it is already so", async () => {
  await using cluster = await startCluster();
  const { client } = cluster;
  await apply(cluster, web(1));
  const scale = { name: "web", replicas: 2, expectedRevision: 999n };
  const error = await failure(client.unary(FleetService.method.scaleFleet, scale, soon()));
  expect(error.code).toBe("aborted");
  const apply2 = { fleets: [web(2)], expectedRevisions: { web: 999n } };
  const applied = await failure(client.unary(FleetService.method.applyFleets, apply2, soon()));
  expect(applied.code).toBe("aborted");

  const already = { ...scale, replicas: 1 };
  const { fleet } = await client.unary(FleetService.method.scaleFleet, already, soon());
  expect(fleet?.spec?.replicas).toBe(1);
  const apply1 = { fleets: [web(1)], expectedRevisions: { web: 999n } };
  const { fleets } = await client.unary(FleetService.method.applyFleets, apply1, soon());
  expect(fleets[0]?.outcome).toBe(ApplyOutcome.UNCHANGED);
});

test("an instance is stopped, started again, and restarted afresh", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const { client } = cluster;
  const name = "web-0000";
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  await client.unary(InstanceService.method.stopInstance, { name }, soon());
  await untilFleet(cluster, "web", (ready) => ready === 0);
  await client.unary(InstanceService.method.startInstance, { name }, soon());
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const before = await client.unary(InstanceService.method.getInstance, { name }, soon());
  expect(before.instance?.incarnation).toBe(1);
  const restart = { name, expectedIncarnation: 1 };
  const method = InstanceService.method.restartInstance;
  expect(await client.unary(method, restart, soon())).toMatchObject({ minIncarnation: 2 });
  const { signal } = soon();
  for await (const { instance } of client.serverStream(
    InstanceService.method.watchInstances,
    { fleet: "web" },
    { signal },
  )) {
    if (instance?.incarnation === 2 && instance.phase === Phase.READY) break;
  }
});

test("a drained host gives up its instances to another", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const { client } = cluster;
  await apply(cluster, web(2));
  await untilFleet(cluster, "web", (ready) => ready === 2);
  await using _h2 = await startHost(cluster, "h2");
  const { host } = await client.unary(HostService.method.drainHost, { name: "h1" }, soon());
  expect(host?.name).toBe("h1");
  const { signal } = soon();
  const moved = new Set<string>();
  for await (const { instance } of client.serverStream(
    InstanceService.method.watchInstances,
    { fleet: "web" },
    { signal },
  )) {
    if (instance?.host === "h2" && instance.phase === Phase.READY) moved.add(instance.name);
    if (moved.size === 2) break;
  }
  expect([...moved].sort()).toEqual(["web-0000", "web-0001"]);
});

test("what happened can be listed and paged into the past", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const { client } = cluster;
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const { signal } = soon();
  for await (const { event } of client.serverStream(
    EventService.method.watchEvents,
    { filter: { instance: "web-0000" } },
    { signal },
  )) {
    if (event?.reason === "InstancePlaced") break;
  }
  const newest = await client.unary(EventService.method.listEvents, { pageSize: 1 }, soon());
  const pageToken = newest.nextPageToken;
  const older = await client.unary(
    EventService.method.listEvents,
    { pageSize: 1, pageToken },
    soon(),
  );
  expect(older.events[0]?.sequence).toBeLessThan(newest.events[0]?.sequence ?? 0n);
});

test("what does not exist is said so by its name", async () => {
  await using cluster = await startCluster();
  const { client } = cluster;
  const fleet = await failure(client.unary(FleetService.method.getFleet, { name: "x" }, soon()));
  expect([fleet.code, fleet.message]).toEqual([
    "notFound",
    'fleet "x": there is none of this name',
  ]);
  const host = await failure(client.unary(HostService.method.drainHost, { name: "x" }, soon()));
  expect(host.code).toBe("notFound");
});

const sha256 = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

test("a build context is stored once, and not under a digest that it does not have", async () => {
  await using cluster = await startCluster();
  const upload = async (digest: string, ...parts: readonly string[]) =>
    cluster.client.clientStream(
      ImageService.method.uploadBuildContext,
      () =>
        pieces(
          parts.map((part, at) => ({ digest: at === 0 ? digest : "", data: Buffer.from(part) })),
        ),
      soon(),
    );
  expect(await upload(sha256("abcd"), "ab", "cd")).toMatchObject({ wasPresent: false });
  expect(await upload(sha256("abcd"), "ab", "cd")).toMatchObject({ wasPresent: true });
  expect((await failure(upload(sha256("other"), "ab"))).code).toBe("invalidArgument");
  expect((await failure(upload("md5:1", "ab"))).code).toBe("invalidArgument");
});

async function* pieces<T>(parts: readonly T[]): AsyncGenerator<T> {
  yield* parts;
}

test("an upload that its client breaks off leaves nothing, and ends here too", async () => {
  await using cluster = await startCluster();
  const digest = sha256("ab");
  const end = new AbortController();
  async function* brokenOff() {
    yield { digest, data: Buffer.from("a") };
    end.abort();
    await new Promise<never>(() => undefined);
  }
  const method = ImageService.method.uploadBuildContext;
  const options = { signal: end.signal, deadlineMs: 10_000 };
  const error = await failure(cluster.client.clientStream(method, brokenOff, options));
  expect(error.code).toBe("cancelled");
  const again = () => pieces([{ digest, data: Buffer.from("ab") }]);
  expect(await cluster.client.clientStream(method, again, soon())).toMatchObject({
    sizeBytes: 2n,
    wasPresent: false,
  });
});

test("a wish for an instance beyond the replicas is refused, not kept for later", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const { client, store } = cluster;
  await apply(cluster, web(2));
  await untilFleet(cluster, "web", (ready) => ready === 2);
  const cut = "host/h1";
  store.disconnect(cut);
  await client.unary(FleetService.method.scaleFleet, { name: "web", replicas: 1 }, soon());
  const stop = client.unary(InstanceService.method.stopInstance, { name: "web-0001" }, soon());
  expect((await failure(stop)).message).toBe(
    'fleet "web" has 1 replicas now; this instance is being discarded',
  );
  store.reconnect(cut);
});

test("an expected revision of a fleet that is not applied is an error, not ignored", async () => {
  await using cluster = await startCluster();
  const request = { fleets: [web(1)], expectedRevisions: { wbe: 1n } };
  const error = await failure(
    cluster.client.unary(FleetService.method.applyFleets, request, soon()),
  );
  expect(error.violations.map(({ field }) => field)).toEqual(['expected_revisions["wbe"]']);
});

test("a cordoned host keeps what runs there, and gets nothing new", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const { client } = cluster;
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const cordon = await client.unary(HostService.method.cordonHost, { name: "h1" }, soon());
  expect(cordon.host?.admin).toBe(HostAdmin.CORDONED);
  await apply(cluster, web(2));
  const name = "web-0001";
  const reply = await client.unary(InstanceService.method.explainInstance, { name }, soon());
  expect(reply.instance?.reason).toMatch(/h1 is cordoned$/);
  const kept = await client.unary(FleetService.method.getFleet, { name: "web" }, soon());
  expect(kept.fleet?.ready).toBe(1);
  const status = await client.unary(ClusterService.method.getClusterStatus, {}, soon());
  expect(status.hostsCordoned).toBe(1);
  await client.unary(HostService.method.undrainHost, { name: "h1" }, soon());
  await untilFleet(cluster, "web", (ready) => ready === 2);
});

test("only a host that is overdue can be confirmed to be lost", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  await apply(cluster, web(1));
  await untilFleet(cluster, "web", (ready) => ready === 1);
  const confirm = (names: string[]) =>
    failure(cluster.client.unary(HostService.method.confirmLost, { names }, soon()));
  expect((await confirm(["h1"])).message).toBe('host "h1": is heard of, and so not lost');
  expect((await confirm(["h2"])).code).toBe("notFound");
  expect((await confirm([])).code).toBe("invalidArgument");
});

test("what disturbs much is refused with its number, in words and for programs", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  await using _h2 = await startHost(cluster, "h2");
  const { client } = cluster;
  await apply(cluster, web(8, 64), { ...web(8, 64), name: "api" });
  await untilFleet(cluster, "web", (ready) => ready === 8);
  await untilFleet(cluster, "api", (ready) => ready === 8);
  const number = (error: RpcError) => [error.code, error.info?.metadata["confirm"]];

  // Neither of the two would be too many by itself; a request is asked for the whole of it.
  const both = { fleets: [web(8, 65), { ...web(8, 65), name: "api" }] };
  const applied = await failure(client.unary(FleetService.method.applyFleets, both, soon()));
  expect(applied.message).toBe(
    "this would replace 16 of 16 instances on 2 of 2 hosts; confirm with --confirm 16",
  );
  expect(applied.info).toEqual({
    reason: "CONFIRMATION_NEEDED",
    metadata: { confirm: "16", ofInstances: "16", hosts: "2", ofHosts: "2" },
  });
  const drain = { name: "h1", others: ["h2"] };
  const drained = await failure(client.unary(HostService.method.drainHost, drain, soon()));
  expect(number(drained)).toEqual(["failedPrecondition", "16"]);
  const deletion = { name: "web", others: ["api"], confirmed: 8 };
  const deleted = await failure(client.unary(FleetService.method.deleteFleet, deletion, soon()));
  expect(number(deleted)).toEqual(["failedPrecondition", "16"]);
  const { fleets } = await client.unary(FleetService.method.listFleets, {}, soon());
  expect(fleets.map(({ state }) => state)).toEqual([FleetState.ACTIVE, FleetState.ACTIVE]);

  const confirmed = { ...deletion, confirmed: 16 };
  const reply = await client.unary(FleetService.method.deleteFleet, confirmed, soon());
  expect([reply.fleet, ...reply.others].map((fleet) => fleet?.state)).toEqual([
    FleetState.DELETING,
    FleetState.DELETING,
  ]);
});

test("a deletion that is called off keeps the fleet", async () => {
  await using cluster = await startCluster();
  await using host = await startHost(cluster, "h1");
  const { client } = cluster;
  await apply(cluster, web(2));
  await untilFleet(cluster, "web", (ready) => ready === 2);
  await host[Symbol.asyncDispose]();
  await client.unary(FleetService.method.deleteFleet, { name: "web" }, soon());
  const refused = await failure(apply(cluster, web(3)));
  expect(refused.message).toContain("call that off with `evm delete --undo web`");
  const name = "web";
  const { fleet } = await client.unary(FleetService.method.undeleteFleet, { name }, soon());
  expect(fleet?.state).toBe(FleetState.ACTIVE);
  await using _h1 = await startHost(cluster, "h1");
  await untilFleet(cluster, "web", (ready) => ready === 2);
});
