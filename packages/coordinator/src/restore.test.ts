/** From a control state that is lost back to full management, over the API. */
import { clusterExportCodec } from "@evm/codec";
import type { AgentId, ClusterExport, FleetName, HostName, Orders } from "@evm/fleet";
import { ClusterService, FleetService, HostService, RpcError } from "@evm/protocol";
import type { MemoryStore } from "@evm/store";
import { systemClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { declare, soon, startCluster, startHost, type TestCluster } from "../test/cluster.ts";

const HOSTS = ["h1", "h2"] as const;

type Past = {
  readonly kept: ClusterExport;
  readonly inForce: ReadonlyMap<string, Orders>;
};

const controlOf = (store: MemoryStore) => store.coordinator("observer").control();

/** Resolves once `isTrue`, looked at again whenever the store changes. */
async function until(store: MemoryStore, isTrue: () => boolean): Promise<void> {
  const observer = store.coordinator("observer");
  const { signal } = soon();
  const over = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const look = () => (isTrue() ? resolve() : undefined);
    signal.addEventListener("abort", () => reject(signal.reason), { signal: over.signal });
    observer.watch(look, over.signal);
    look();
  }).finally(() => over.abort());
}

/** What no store tells of changes by the passing of time alone. */
async function eventually(isTrue: () => boolean): Promise<void> {
  const { signal } = soon();
  while (!isTrue()) await systemClock.sleep(POLL_MS, signal);
}

const POLL_MS = 20;

const running = (store: MemoryStore): readonly string[] =>
  [...controlOf(store).orders.values()]
    .flatMap(({ value }) =>
      value.instances.flatMap((one) =>
        one.desired === "run" ? [`${one.name}.${one.incarnation} on ${value.host}`] : [],
      ),
    )
    .sort();

const exported = async ({ client }: TestCluster): Promise<ClusterExport> => {
  const reply = await client.unary(ClusterService.method.exportCluster, {}, soon());
  return clusterExportCodec.fromWire(reply.export);
};

/** A cluster that ran `web` with two instances when it was exported, and `late` since. */
async function aPast(): Promise<Past> {
  await using cluster = await startCluster();
  const hosts = await Promise.all(HOSTS.map((name) => startHost(cluster, name)));
  const { store } = cluster;
  await declare(store, "web", 2);
  await until(store, () => running(store).length === 2);
  const kept = await exported(cluster);
  await declare(store, "web", 3);
  await declare(store, "late", 1);
  await until(store, () => running(store).length === 4);
  const { orders } = controlOf(store);
  const inForce = new Map([...orders].map(([name, { value }]) => [name as string, value]));
  for (const host of hosts) await host[Symbol.asyncDispose]();
  return { kept, inForce };
}

/** Nothing is left of the cluster but its hosts. */
async function afterTheLoss(past: Past, names: readonly string[] = HOSTS) {
  const resources = new AsyncDisposableStack();
  const cluster = resources.use(await startCluster());
  const back = async (name: string) =>
    resources.use(await startHost(cluster, name, "ready", undefined, past.inForce.get(name)));
  for (const name of names) await back(name);
  const { coordinator, store } = cluster;
  await until(store, () => store.coordinator("observer").reports().size === names.length);
  await eventually(() => coordinator.memory.kind === "lost");
  return { ...cluster, back, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const restore = (
  { client }: Pick<TestCluster, "client">,
  kept: ClusterExport | undefined,
  options: { readonly without?: string[]; readonly isDryRun?: boolean } = {},
) =>
  client.unary(
    ClusterService.method.restoreCluster,
    { ...(kept && { export: clusterExportCodec.toWire(kept) }), ...options },
    soon(),
  );

const refusal = async (call: Promise<unknown>): Promise<RpcError> => {
  const error = await call.catch((reason: unknown) => reason);
  if (error instanceof RpcError) return error;
  throw new Error("it was not refused", { cause: error });
};

test("where two machines bear a name, the answer of the wrong one counts as none", async () => {
  const past = await aPast();
  await using cluster = await afterTheLoss(past, ["h1"]);
  await using _h2 = await startHost(cluster, "h2");
  const applied = past.inForce.get("h2");
  if (applied === undefined) throw new Error("h2 was ordered something");
  const { epoch, generation } = applied;
  const agent = "the-other" as AgentId;
  const link = cluster.store.host(applied.host);
  await link.heartbeat({ host: applied.host, agent, epoch, generation }, soon().signal);
  const refused = await refusal(restore(cluster, past.kept));
  expect(refused.message).toMatch(/h2: .*older ones than it goes by; do two machines bear/);
});

test("a lost control state is rebuilt, orders as they are in force, and managed", async () => {
  const past = await aPast();
  await using cluster = await afterTheLoss(past);
  const { client, store } = cluster;
  const scale = (replicas: number) =>
    client.unary(FleetService.method.scaleFleet, { name: "web", replicas }, soon());
  const refused = await refusal(scale(5));
  expect([refused.code, refused.message]).toEqual([
    "failedPrecondition",
    expect.stringContaining("evm restore"),
  ]);

  const dry = await restore(cluster, past.kept, { isDryRun: true });
  expect(controlOf(store).fleets.size + controlOf(store).orders.size).toBe(0);
  const { fleets, hosts, notes } = await restore(cluster, past.kept);
  expect({ fleets, hosts, notes }).toEqual({
    fleets: dry.fleets,
    hosts: dry.hosts,
    notes: dry.notes,
  });
  expect(fleets).toMatchObject([
    { name: "late", replicas: 1, running: 1 },
    { name: "web", replicas: 3, running: 3 },
  ]);
  expect(notes.join("\n")).toMatch(/late: only its orders are left.*\n.*web: 2 replicas were kept/);
  const { orders, epoch } = controlOf(store);
  for (const [name, { value }] of orders) expect(value).toEqual(past.inForce.get(name));
  expect(epoch.epoch).toBeGreaterThan(1e12);

  const before = running(store);
  await until(store, () => controlOf(store).epoch.epoch > epoch.epoch);
  await scale(5);
  await until(store, () => running(store).length === 6);
  expect(running(store)).toEqual(expect.arrayContaining([...before]));
  const again = await refusal(restore(cluster, past.kept));
  expect(again.message).toMatch(/nothing to restore/);
});

test("where nothing is declared or ordered to be, an export comes back as new", async () => {
  await using cluster = await startCluster();
  const { client, store } = cluster;
  await using _h1 = await startHost(cluster, "h1");
  await declare(store, "web", 1);
  await until(store, () => running(store).length === 1);
  const kept = await exported(cluster);
  await client.unary(FleetService.method.deleteFleet, { name: "web" }, soon());
  // Its orders stay, and say nothing.
  await until(store, () => controlOf(store).fleets.size + running(store).length === 0);
  expect(controlOf(store).orders.size).toBe(1);

  await restore(cluster, kept);
  await until(store, () => running(store).join() === "web-0000.100001 on h1");
});

test("hosts that do not answer are named; left out, another restore takes them in", async () => {
  const past = await aPast();
  await using cluster = await afterTheLoss(past, ["h1"]);
  const { store } = cluster;
  const refused = await refusal(restore(cluster, past.kept));
  expect(refused.message).toMatch(/h2: .*does not answer/);
  expect(refused.message).toMatch(/--without h2/);
  expect((await refusal(restore(cluster, past.kept, { without: ["h9"] }))).code).toBe(
    "invalidArgument",
  );

  await restore(cluster, past.kept, { without: ["h2"] });
  const onH1 = running(store);
  // What h2 had of `web` begins on h1, numbered above all that it may come back with.
  await until(store, () => running(store).some((one) => /\.1\d{5} on h1/.test(one)));
  expect(running(store)).toEqual(expect.arrayContaining([...onH1]));

  await cluster.back("h2");
  await until(store, () =>
    store
      .coordinator("observer")
      .reports()
      .has("h2" as HostName),
  );
  await eventually(() => cluster.coordinator.doubts().length > 0);
  expect(cluster.coordinator.doubts().join()).toMatch(/in force on h2/);
  expect(controlOf(store).orders.has("h2" as HostName)).toBe(false);

  await restore(cluster, undefined);
  const isEachOnce = () => {
    const names = running(store).map((one) => one.split(".")[0]);
    return names.length === 4 && new Set(names).size === 4;
  };
  await until(store, isEachOnce);
  expect(controlOf(store).fleets.get("late" as FleetName)?.value.state).toBe("active");
});

test("what is not lost is not restored, and an export has every host", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const { client, store } = cluster;
  await declare(store, "web", 1);
  await until(store, () => running(store).length === 1);
  await client.unary(HostService.method.drainHost, { name: "h1" }, soon());
  const kept = await exported(cluster);
  expect(kept).toMatchObject({
    fleets: [{ spec: { name: "web" } }],
    hosts: [{ name: "h1", admin: "draining" }],
  });
  expect((await refusal(restore(cluster, kept))).code).toBe("failedPrecondition");
});
