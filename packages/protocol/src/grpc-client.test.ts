import { once } from "node:events";
import { createServer } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  addService,
  ClusterService,
  EventService,
  FleetService,
  GrpcClient,
  type Handlers,
  Health,
  HealthCheckResponse_ServingStatus,
  HostService,
  ImageService,
  InstanceService,
  RpcError,
} from "./index.ts";

const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
const options = { signal: new AbortController().signal, deadlineMs: 10_000 };
/** So that what stands still is noticed within a test's time. */
const channel = { "grpc.keepalive_time_ms": 50, "grpc.keepalive_timeout_ms": 50 };

/** One of several servers of a cluster, which says its name. */
type TestServer = AsyncDisposable & {
  readonly address: string;
  isServing: boolean;
  /** Thrown by the next call. */
  failure: RpcError | undefined;
  /** How often a fleet was asked for. */
  calls: number;
  /** As kill -9 does. */
  kill(): void;
};

async function startServer(name: string): Promise<TestServer> {
  const server = new Server();
  const convert = (error: unknown) =>
    error instanceof RpcError ? error : new RpcError("internal", `bug: ${error}`);
  const status = () => ({ status: self.isServing ? SERVING : NOT_SERVING });
  const health: Handlers<typeof Health> = {
    check: async () => status(),
    list: async () => ({ statuses: { "": status() } }),
    async *watch() {},
  };
  const answer = async () => {
    self.calls += 1;
    const { failure } = self;
    self.failure = undefined;
    if (failure !== undefined) throw failure;
    return { coordinator: name };
  };
  const cluster: Pick<Handlers<typeof ClusterService>, "getClusterStatus"> = {
    getClusterStatus: answer,
  };
  const fleets: Pick<Handlers<typeof FleetService>, "watchFleets"> = {
    async *watchFleets(_, { signal }) {
      yield { deletedName: name };
      await once(signal, "abort");
    },
  };
  addService(server, Health, health, convert);
  addService(server, ClusterService, cluster as Handlers<typeof ClusterService>, convert);
  addService(server, FleetService, fleets as Handlers<typeof FleetService>, convert);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  const self: TestServer = {
    address: `127.0.0.1:${await promise}`,
    isServing: true,
    failure: undefined,
    calls: 0,
    kill: () => server.forceShutdown(),
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
  return self;
}

/** What accepts connections and then says nothing, as a process that was stopped. */
async function startFrozen(): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

const clientOf = (...servers: readonly { readonly address: string }[]): GrpcClient =>
  new GrpcClient({
    addresses: servers.map(({ address }) => address).join(","),
    credentials: credentials.createInsecure(),
    channel,
    random: () => 0.5,
  });

const DEAD = { address: "127.0.0.1:1" };

const whoAnswers = async (client: GrpcClient): Promise<string> =>
  (await client.unary(ClusterService.method.getClusterStatus, {}, options)).coordinator;

test("a dead server, a frozen one and one without its store are passed over", async () => {
  await using frozen = await startFrozen();
  await using cutOff = await startServer("cut off");
  await using good = await startServer("good");
  cutOff.isServing = false;
  using client = clientOf(DEAD, frozen, cutOff, good);
  expect(await whoAnswers(client)).toBe("good");
  expect(cutOff.calls).toBe(0);
});

test("where none has its store, one that answers is called all the same", async () => {
  await using cutOff = await startServer("cut off");
  cutOff.isServing = false;
  using client = clientOf(DEAD, cutOff);
  expect(await whoAnswers(client)).toBe("cut off");
});

test("calls go on at the next server when theirs is killed, and stay there", async () => {
  await using first = await startServer("first");
  await using second = await startServer("second");
  using client = clientOf(first, second);
  expect(await whoAnswers(client)).toBe("first");
  first.kill();
  expect(await whoAnswers(client)).toBe("second");
  expect(await whoAnswers(client)).toBe("second");
});

test("what a server cannot do now is asked of the next one", async () => {
  await using first = await startServer("first");
  await using second = await startServer("second");
  using client = clientOf(first, second);
  first.failure = new RpcError("unavailable", "apply: the store is away");
  expect(await whoAnswers(client)).toBe("second");
});

test("a single server that cannot do it now is asked again", async () => {
  await using only = await startServer("only");
  using client = clientOf(only);
  only.failure = new RpcError("unavailable", "apply: the store is away");
  expect(await whoAnswers(client)).toBe("only");
  expect(only.calls).toBe(2);
});

test("the deadline ends the repetition, with what was wrong last", async () => {
  await using only = await startServer("only");
  using client = clientOf(only);
  expect(await whoAnswers(client)).toBe("only");
  only.kill();
  const soon = { ...options, deadlineMs: 300 };
  const call = client.unary(ClusterService.method.getClusterStatus, {}, soon);
  await expect(call).rejects.toMatchObject({ code: "unavailable", isAnswer: false });
});

test("other refusals are not repeated", async () => {
  await using first = await startServer("first");
  await using second = await startServer("second");
  using client = clientOf(first, second);
  first.failure = new RpcError("aborted", "apply: expected revision 3, found 4");
  await expect(whoAnswers(client)).rejects.toMatchObject({ code: "aborted" });
  expect([first.calls, second.calls]).toEqual([1, 0]);
});

test("where nobody ever answered, a call fails at once", async () => {
  using client = clientOf(DEAD, DEAD);
  await expect(whoAnswers(client)).rejects.toMatchObject({ code: "unavailable" });
});

test("a stream whose server is killed breaks; opened again, it comes from the next", async () => {
  await using first = await startServer("first");
  await using second = await startServer("second");
  using client = clientOf(first, second);
  const open = () =>
    client.serverStream(FleetService.method.watchFleets, {}, options)[Symbol.asyncIterator]();
  const watch = open();
  expect((await watch.next()).value).toMatchObject({ deletedName: "first" });
  first.kill();
  await expect(watch.next()).rejects.toMatchObject({ code: "unavailable" });
  expect((await open().next()).value).toMatchObject({ deletedName: "second" });
});

test("every call of the API may be repeated, but one", () => {
  const services: readonly DescService[] = [
    ...[ClusterService, EventService, FleetService, HostService, ImageService, InstanceService],
  ];
  const { IDEMPOTENCY_UNKNOWN } = MethodOptions_IdempotencyLevel;
  const doubtful = services
    .flatMap(({ methods }) => methods)
    .filter(({ methodKind }) => methodKind === "unary" || methodKind === "client_streaming")
    .filter(({ idempotency }) => idempotency === IDEMPOTENCY_UNKNOWN);
  // A call whose answer was lost is made again. Give its request what makes that harmless, and the
  // method its `idempotency_level`. Whoever restores is to see each refusal: nothing is repeated.
  expect(doubtful.map(({ name }) => name)).toEqual(["RestoreCluster"]);
});
