/** Calls by protobuf-es descriptors over grpc-js: every method of every service, fully typed. */
import { once } from "node:events";
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { fromServiceError, RpcError } from "./rpc-error.ts";
import { deserializer, methodPath, serializer } from "./wire-format.ts";

/**
 * A server that vanished without a word, as in a power cut, is noticed within the sum of both, also
 * by a stream on which nothing comes.
 */
const KEEPALIVE: ChannelOptions = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
};

/** For calls that end by themselves. */
export type CallOptions = { readonly signal: AbortSignal; readonly deadlineMs: number };

/** For streams, which go on until either side ends them. */
export type StreamOptions = { readonly signal: AbortSignal };

/** A call in which both sides stream. */
export type BidiCall<Request, Response> = {
  readonly responses: AsyncIterable<Response>;
  /** Resolves once there is room for the next. */
  write(request: Request): Promise<void>;
  /** Says that nothing more will be written; the other side may go on. */
  end(): void;
};

/**
 * A connection to one server, made at the first call. Every failure is an `RpcError`.
 *
 *     const { fleet } = await client.unary(FleetService.method.getFleet, { name }, options);
 */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  /** @param address `host:port` or `unix:<path>` */
  constructor(address: string, credentials: ChannelCredentials, options: ChannelOptions = {}) {
    this.#client = new Client(address, credentials, { ...KEEPALIVE, ...options });
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const reply = Promise.withResolvers<MessageShape<O>>();
    const call = this.#client.makeUnaryRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      create(method.input, request),
      new Metadata(),
      { deadline: deadlineOf(options) },
      (error, value) => settle(reply, error, value),
    );
    cancelWith(call, options.signal);
    return reply.promise;
  }

  /** Ends when the server ends it, when `signal` fires, or when the reader stops reading. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { signal }: StreamOptions,
  ): AsyncIterable<MessageShape<O>> {
    const call = this.#client.makeServerStreamRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      create(method.input, request),
      new Metadata(),
    );
    cancelWith(call, signal);
    return readAll(call);
  }

  async clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const reply = Promise.withResolvers<MessageShape<O>>();
    const ended = new AbortController();
    const call = this.#client.makeClientStreamRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      new Metadata(),
      { deadline: deadlineOf(options) },
      (error, value) => {
        settle(reply, error, value);
        ended.abort();
      },
    );
    cancelWith(call, options.signal);
    const written = writeAll(call, method.input, requests, ended.signal).catch((error: unknown) => {
      reply.reject(error);
      call.cancel();
    });
    const [value] = await Promise.all([reply.promise, written]);
    return value;
  }

  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    { signal }: StreamOptions,
  ): BidiCall<MessageInitShape<I>, MessageShape<O>> {
    const call = this.#client.makeBidiStreamRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      new Metadata(),
    );
    const ended = new AbortController();
    call.once("status", () => ended.abort());
    cancelWith(call, signal);
    return {
      responses: readAll(call),
      write: (request) => write(call, create(method.input, request), ended.signal),
      end: () => call.end(),
    };
  }

  /** Ends every open call. */
  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** grpc-js counts deadlines on the system's clock and takes no other: nothing to inject. */
const grpcClock: { now(): number } = Date;

const deadlineOf = ({ deadlineMs }: CallOptions): number => grpcClock.now() + deadlineMs;

function settle<T>(
  reply: PromiseWithResolvers<T>,
  error: ServiceError | null,
  value: T | undefined,
): void {
  if (error !== null) reply.reject(fromServiceError(error));
  else if (value === undefined) reply.reject(new RpcError("internal", "call: an empty reply"));
  else reply.resolve(value);
}

type Cancellable = { cancel(): void; once(event: "status", listener: () => void): unknown };

function cancelWith(call: Cancellable, signal: AbortSignal): void {
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  call.once("status", () => signal.removeEventListener("abort", cancel));
}

function readAll<T>(call: ClientReadableStream<T>): AsyncIterable<T> {
  // A reader that stops early hears nothing of the end that it caused; unheard errors end Node.
  call.on("error", () => {});
  return messagesOf(call);
}

async function* messagesOf<T>(call: ClientReadableStream<T>): AsyncGenerator<T> {
  const messages: AsyncIterable<T> = call;
  try {
    yield* messages;
  } catch (error) {
    throw isServiceError(error) ? fromServiceError(error) : error;
  } finally {
    call.cancel();
  }
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "details" in error && "metadata" in error;

async function writeAll<I extends DescMessage>(
  call: ClientWritableStream<MessageShape<I>>,
  input: I,
  requests: AsyncIterable<MessageInitShape<I>>,
  ended: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (ended.aborted) return;
    await write(call, create(input, request), ended);
  }
  call.end();
}

/** Waits for room; returns at once when the call has ended, whose outcome says why. */
async function write<T>(
  call: ClientWritableStream<T>,
  message: T,
  ended: AbortSignal,
): Promise<void> {
  if (ended.aborted || call.write(message)) return;
  try {
    await once(call, "drain", { signal: ended });
  } catch (error) {
    if (!ended.aborted) throw error;
  }
}
