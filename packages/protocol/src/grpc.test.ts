import { once } from "node:events";
import { connect, createServer } from "node:net";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type ChannelOptions, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServerReflection } from "./gen/grpc/reflection/v1/reflection_pb.ts";
import {
  addReflection,
  addService,
  FleetService,
  FleetSpecSchema,
  GrpcClient,
  type Handlers,
  ImageService,
  InstanceService,
  RpcError,
} from "./index.ts";

const unimplemented = () => {
  throw new RpcError("unimplemented", "test: not here");
};

/** Fires in a test's handlers: what the server saw. */
let seen: { cancelled: PromiseWithResolvers<void>; released: PromiseWithResolvers<void> };

const fleets: Handlers<typeof FleetService> = {
  applyFleets: async () => {
    throw new RpcError("invalidArgument", "apply: 2 problems", {
      violations: [
        { field: "fleets[0].replicas", description: "too many" },
        { field: "fleets[0].name", description: "no name" },
      ],
      info: { reason: "NEEDS_FIXING", metadata: { problems: "2" } },
    });
  },
  planFleets: async () => {
    throw new TypeError("a bug");
  },
  getFleet: async ({ name }) => ({ fleet: { spec: { name, replicas: 3 }, revision: 7n } }),
  listFleets: async (_request, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    seen.cancelled.resolve();
    return {};
  },
  async *watchFleets({ name }, { signal }) {
    try {
      for (let revision = 1n; !signal.aborted; revision += 1n) {
        yield { fleet: { spec: { name }, revision } };
        if (name === "breaks" && revision === 3n) throw new RpcError("aborted", "watch: broke");
        if (name === "ends" && revision === 3n) return;
      }
    } finally {
      seen.released.resolve();
    }
  },
  scaleFleet: unimplemented,
  pauseRollout: unimplemented,
  resumeRollout: unimplemented,
  rollbackFleet: unimplemented,
  deleteFleet: unimplemented,
  undeleteFleet: unimplemented,
};

const images: Handlers<typeof ImageService> = {
  addImage: unimplemented,
  listImages: unimplemented,
  removeImage: unimplemented,
  uploadBuildContext: async (requests) => {
    let size = 0;
    for await (const { data } of requests) {
      size += data.byteLength;
      if (size > 1_000_000) throw new RpcError("resourceExhausted", "upload: too large");
    }
    return { sizeBytes: BigInt(size) };
  },
};

const instances: Handlers<typeof InstanceService> = {
  listInstances: unimplemented,
  getInstance: unimplemented,
  async *watchInstances() {},
  startInstance: unimplemented,
  stopInstance: unimplemented,
  restartInstance: unimplemented,
  explainInstance: unimplemented,
  async *streamLogs() {
    for (let line = 0; line < 2_000; line += 1) yield { data: Buffer.alloc(1_000, line % 256) };
  },
  async *openConsole(requests) {
    for await (const { input } of requests) yield { output: Buffer.from(input).reverse() };
  },
};

let server: Server;
let port: number;
let client: GrpcClient;

const clientOf = (addresses: string, channel: ChannelOptions = {}): GrpcClient =>
  new GrpcClient({
    addresses,
    credentials: credentials.createInsecure(),
    channel,
    random: () => 0,
  });

beforeEach(async () => {
  seen = { cancelled: Promise.withResolvers(), released: Promise.withResolvers() };
  server = new Server();
  const convert = (error: unknown) =>
    error instanceof RpcError ? error : new RpcError("internal", `bug: ${error}`);
  addService(server, FleetService, fleets, convert);
  addService(server, ImageService, images, convert);
  addService(server, InstanceService, instances, convert);
  addReflection(server, [FleetService, ImageService, InstanceService], convert);
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = clientOf(`127.0.0.1:${port}`);
});

afterEach(() => {
  client[Symbol.dispose]();
  server.forceShutdown();
});

const options = { signal: new AbortController().signal, deadlineMs: 10_000 };

const failure = async (call: Promise<unknown>): Promise<RpcError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RpcError)) throw new Error("expected an RpcError", { cause: error });
  return error;
};

const blocks = async function* (count: number, bytes: number) {
  for (let index = 0; index < count; index += 1) yield { data: Buffer.alloc(bytes) };
};

describe("unary calls", () => {
  test("give the reply", async () => {
    const { fleet } = await client.unary(FleetService.method.getFleet, { name: "web" }, options);
    expect(fleet?.spec).toEqual(create(FleetSpecSchema, { name: "web", replicas: 3 }));
    expect(fleet?.revision).toBe(7n);
  });

  test("carry the field violations and the info of a refused request", async () => {
    const error = await failure(client.unary(FleetService.method.applyFleets, {}, options));
    expect(error).toMatchObject({
      code: "invalidArgument",
      message: "apply: 2 problems",
      isTransient: false,
      violations: [
        { field: "fleets[0].replicas", description: "too many" },
        { field: "fleets[0].name", description: "no name" },
      ],
      info: { reason: "NEEDS_FIXING", metadata: { problems: "2" } },
    });
  });

  test("fail with what the server makes of an unexpected error", async () => {
    const error = await failure(client.unary(FleetService.method.planFleets, {}, options));
    expect(error).toMatchObject({
      code: "internal",
      message: "bug: TypeError: a bug",
      isAnswer: true,
    });
  });

  test("end at their deadline, and the handler hears of it", async () => {
    const call = client.unary(
      FleetService.method.listFleets,
      {},
      { signal: options.signal, deadlineMs: 50 },
    );
    expect(await failure(call)).toMatchObject({ code: "deadlineExceeded", isTransient: true });
    await seen.cancelled.promise;
  });

  test("end when their signal fires, and the handler hears of it", async () => {
    const stop = new AbortController();
    const call = client.unary(
      FleetService.method.listFleets,
      {},
      { signal: stop.signal, deadlineMs: 10_000 },
    );
    await client.unary(FleetService.method.getFleet, {}, options);
    stop.abort();
    expect(await failure(call)).toMatchObject({ code: "cancelled" });
    await seen.cancelled.promise;
  });

  test("are not made when their signal has fired already", async () => {
    const call = client.unary(
      FleetService.method.listFleets,
      {},
      { signal: AbortSignal.abort(), deadlineMs: 10_000 },
    );
    expect(await failure(call)).toMatchObject({ code: "cancelled" });
  });

  test("to a server that is not there are unavailable, and may be tried again", async () => {
    using nobody = clientOf("127.0.0.1:1");
    const error = await failure(nobody.unary(FleetService.method.getFleet, {}, options));
    expect(error).toMatchObject({ code: "unavailable", isTransient: true, isAnswer: false });
    expect(error).toHaveProperty("message", "connect ECONNREFUSED 127.0.0.1:1");
  });
});

describe("server streams", () => {
  const revisions = async (name: string): Promise<bigint[]> => {
    const found: bigint[] = [];
    const stream = client.serverStream(FleetService.method.watchFleets, { name }, options);
    for await (const { fleet } of stream) found.push(fleet?.revision ?? 0n);
    return found;
  };

  test("give every message and end", async () => {
    expect(await revisions("ends")).toEqual([1n, 2n, 3n]);
  });

  test("throw what the handler threw", async () => {
    expect(await failure(revisions("breaks"))).toMatchObject({
      code: "aborted",
      message: "watch: broke",
    });
  });

  test("end on the server when the reader stops reading", async () => {
    const stream = client.serverStream(FleetService.method.watchFleets, {}, options);
    for await (const _message of stream) break;
    await seen.released.promise;
  });

  test("end on both sides when the signal fires", async () => {
    const stop = new AbortController();
    const stream = client.serverStream(FleetService.method.watchFleets, {}, stop);
    const read = async () => {
      for await (const _message of stream) stop.abort();
    };
    expect(await failure(read())).toMatchObject({ code: "cancelled" });
    await seen.released.promise;
  });

  test("larger than every buffer arrive whole", async () => {
    let bytes = 0;
    for await (const { data } of client.serverStream(
      InstanceService.method.streamLogs,
      {},
      options,
    )) {
      bytes += data.byteLength;
    }
    expect(bytes).toBe(2_000_000);
  });
});

describe("client streams", () => {
  const upload = (count: number) =>
    client.clientStream(
      ImageService.method.uploadBuildContext,
      () => blocks(count, 100_000),
      options,
    );

  test("send everything and give the reply", async () => {
    expect((await upload(9)).sizeBytes).toBe(900_000n);
  });

  test("stop when the server refuses in the middle", async () => {
    expect(await failure(upload(10_000))).toMatchObject({ code: "resourceExhausted" });
  });

  test("fail with what the source of the requests threw", async () => {
    const broken = async function* () {
      yield { data: Buffer.alloc(1) };
      throw new RangeError("unreadable");
    };
    const call = client.clientStream(ImageService.method.uploadBuildContext, broken, options);
    await expect(call).rejects.toThrow(new RangeError("unreadable"));
  });
});

test("a stream on which nothing comes fails where the server vanished without a word", async () => {
  let freeze = () => {};
  const proxy = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    freeze = () => near.unpipe().resume();
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("proxy: no port");
  const soon = { "grpc.keepalive_time_ms": 20, "grpc.keepalive_timeout_ms": 20 };
  using far = clientOf(`127.0.0.1:${address.port}`, soon);
  const call = await far.bidi(InstanceService.method.openConsole, options);
  await call.write({ input: Buffer.from("abc") });
  const responses = call.responses[Symbol.asyncIterator]();
  expect((await responses.next()).done).toBe(false);
  freeze();
  expect(await failure(responses.next())).toMatchObject({ code: "unavailable" });
  proxy.close();
});

test("both sides of a bidirectional call talk until one ends it", async () => {
  const call = await client.bidi(InstanceService.method.openConsole, options);
  const answers: string[] = [];
  await call.write({ input: Buffer.from("abc") });
  for await (const { output } of call.responses) {
    answers.push(Buffer.from(output).toString());
    if (answers.length === 1) await call.write({ input: Buffer.from("123") });
    else call.end();
  }
  expect(answers).toEqual(["cba", "321"]);
});

describe("reflection", () => {
  const ask = async (messageRequest: Parameters<typeof request>[0]) => {
    const call = await client.bidi(ServerReflection.method.serverReflectionInfo, options);
    await call.write(request(messageRequest));
    call.end();
    for await (const { messageResponse } of call.responses) return messageResponse;
    throw new Error("no answer");
  };
  const request = (
    messageRequest:
      | { case: "listServices" | "fileContainingSymbol" | "fileByFilename"; value: string }
      | { case: undefined },
  ) => ({ messageRequest });

  test("lists the services", async () => {
    const answer = await ask({ case: "listServices", value: "*" });
    if (answer.case !== "listServicesResponse") throw new Error(answer.case);
    expect(answer.value.service.map(({ name }) => name)).toEqual([
      "evm.v1.FleetService",
      "evm.v1.ImageService",
      "evm.v1.InstanceService",
      "grpc.reflection.v1.ServerReflection",
    ]);
  });

  test.each([
    ["fileContainingSymbol", "evm.v1.FleetService"],
    ["fileContainingSymbol", "evm.v1.FleetService.GetFleet"],
    ["fileContainingSymbol", "evm.v1.Fleet.ready"],
    ["fileContainingSymbol", "evm.v1.ApplyOutcome"],
    ["fileByFilename", "evm/v1/fleet_service.proto"],
  ] as const)("answers %s %s with the file and all that it imports", async (kind, value) => {
    const answer = await ask({ case: kind, value });
    if (answer.case !== "fileDescriptorResponse") throw new Error(answer.case);
    const files = answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    expect(files[0]?.name).toBe("evm/v1/fleet_service.proto");
    const names = new Set(files.map(({ name }) => name));
    expect(
      files.flatMap(({ dependency }) => dependency).filter((name) => !names.has(name)),
    ).toEqual([]);
  });

  test("says what it does not know", async () => {
    const answer = await ask({ case: "fileContainingSymbol", value: "evm.v1.Nothing" });
    expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});
