/** Calls by protobuf-es descriptors over grpc-js: every method of every service, fully typed. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { fromServiceError, RpcError } from "./rpc-error.ts";
import { grpcClock, Servers, type ServersOptions } from "./servers.ts";
import { deserializer, methodPath, serializer } from "./wire-format.ts";

/**
 * Before a call is repeated, by chance up to this, doubled with each repetition up to the longest:
 * a takeover takes 2 s, a change of JetStream's leader up to 8 s. The deadline ends it.
 */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export type GrpcClientOptions = ServersOptions & {
  /** In [0, 1). */
  readonly random: () => number;
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
 * Calls to a cluster by the addresses of its servers, each connected to at its first call. A call
 * that fails because its server is not there, or cannot serve, is made again, on the next server,
 * until its deadline, if its method says that it may be repeated (`idempotency_level`). A stream
 * that breaks is for its reader to open again; it then comes from the next server. Every failure is
 * an `RpcError`.
 *
 *     const { fleet } = await client.unary(FleetService.method.getFleet, { name }, options);
 */
export class GrpcClient implements Disposable {
  readonly #servers: Servers;
  readonly #random: () => number;

  constructor({ random, ...options }: GrpcClientOptions) {
    this.#servers = new Servers(options);
    this.#random = random;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#untilDeadline(method, options, (client, deadline) => {
      const reply = Promise.withResolvers<MessageShape<O>>();
      const call = client.makeUnaryRequest(
        methodPath(method),
        serializer(method.input),
        deserializer(method.output),
        create(method.input, request),
        new Metadata(),
        { deadline },
        (error, value) => settle(reply, error, value, options.signal),
      );
      cancelWith(call, options.signal);
      return reply.promise;
    });
  }

  /** Ends when the server ends it, when `signal` fires, or when the reader stops reading. */
  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { signal }: StreamOptions,
  ): AsyncGenerator<MessageShape<O>> {
    const client = await this.#servers.choose();
    const call = client.makeServerStreamRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      create(method.input, request),
      new Metadata(),
    );
    cancelWith(call, signal);
    yield* this.#readAll(client, call, signal);
  }

  /** @param requests the stream from its beginning, each time that it is asked for */
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: () => AsyncIterable<MessageInitShape<I>>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#untilDeadline(method, options, async (client, deadline) => {
      const reply = Promise.withResolvers<MessageShape<O>>();
      const ended = new AbortController();
      const call = client.makeClientStreamRequest(
        methodPath(method),
        serializer(method.input),
        deserializer(method.output),
        new Metadata(),
        { deadline },
        (error, value) => {
          settle(reply, error, value, options.signal);
          ended.abort();
        },
      );
      cancelWith(call, options.signal);
      const written = writeAll(call, method.input, requests(), ended.signal).catch(
        (error: unknown) => {
          reply.reject(error);
          call.cancel();
        },
      );
      const [value] = await Promise.all([reply.promise, written]);
      return value;
    });
  }

  async bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    { signal }: StreamOptions,
  ): Promise<BidiCall<MessageInitShape<I>, MessageShape<O>>> {
    const client = await this.#servers.choose();
    const call = client.makeBidiStreamRequest(
      methodPath(method),
      serializer(method.input),
      deserializer(method.output),
      new Metadata(),
    );
    const ended = new AbortController();
    call.once("status", () => ended.abort());
    cancelWith(call, signal);
    return {
      responses: this.#readAll(client, call, signal),
      write: (request) => write(call, create(method.input, request), ended.signal),
      end: () => call.end(),
    };
  }

  /** Ends every open call. */
  [Symbol.dispose](): void {
    this.#servers[Symbol.dispose]();
  }

  /** Makes a call, and makes it again where that is safe and may help. */
  async #untilDeadline<T>(
    { idempotency }: DescMethod,
    { signal, deadlineMs }: CallOptions,
    attempt: (client: Client, deadline: number) => Promise<T>,
  ): Promise<T> {
    const deadline = grpcClock.now() + deadlineMs;
    const isRepeatable = idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
    for (let longestMs = FIRST_PAUSE_MS; ; longestMs = Math.min(2 * longestMs, LONGEST_PAUSE_MS)) {
      const client = await this.#servers.choose();
      try {
        const reply = await attempt(client, deadline);
        this.#servers.answered();
        return reply;
      } catch (error) {
        if (!this.#isElsewhere(client, error) || !isRepeatable) throw error;
        const pauseMs = longestMs * this.#random();
        if (!this.#servers.haveAnswered || grpcClock.now() + pauseMs >= deadline) throw error;
        await sleep(pauseMs, undefined, { signal }).catch(() => {
          throw new RpcError("cancelled", "call: cancelled before it was repeated", {
            cause: error,
          });
        });
      }
    }
  }

  #readAll<T>(
    client: Client,
    call: ClientReadableStream<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    // A reader that stops early hears nothing of the end that it caused; unheard errors end Node.
    call.on("error", () => {});
    return this.#messagesOf(client, call, signal);
  }

  async *#messagesOf<T>(
    client: Client,
    call: ClientReadableStream<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    const messages: AsyncIterable<T> = call;
    try {
      for await (const message of messages) {
        this.#servers.answered();
        yield message;
      }
    } catch (thrown) {
      const error = isServiceError(thrown) ? failureOf(thrown, signal) : thrown;
      this.#isElsewhere(client, error);
      throw error;
    } finally {
      call.cancel();
    }
  }

  /** Whether a failure is one that another server may not have; then calls go to the next one. */
  #isElsewhere(client: Client, error: unknown): boolean {
    if (!(error instanceof RpcError) || error.code !== "unavailable") return false;
    this.#servers.failed(client, error);
    return true;
  }
}

function settle<T>(
  reply: PromiseWithResolvers<T>,
  error: ServiceError | null,
  value: T | undefined,
  signal: AbortSignal,
): void {
  if (error !== null) reply.reject(failureOf(error, signal));
  else if (value === undefined) reply.reject(new RpcError("internal", "call: an empty reply"));
  else reply.resolve(value);
}

/** A server that ends cancels what it has not answered; to its client, it is not there. */
function failureOf(error: ServiceError, signal: AbortSignal): RpcError {
  const failure = fromServiceError(error);
  if (failure.code !== "cancelled" || signal.aborted) return failure;
  return new RpcError("unavailable", "the server broke off the call", { cause: error });
}

type Cancellable = { cancel(): void; once(event: "status", listener: () => void): unknown };

function cancelWith(call: Cancellable, signal: AbortSignal): void {
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  call.once("status", () => signal.removeEventListener("abort", cancel));
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
