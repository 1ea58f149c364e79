/** Serves protobuf-es services on grpc-js, with handlers that are plain async functions. */
import { type EventEmitter, once } from "node:events";
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type {
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { RpcError, toStatus } from "./rpc-error.ts";
import { deserializer, methodPath, serializer } from "./wire-format.ts";

/** What a handler knows of the call beside its request. */
export type CallContext = {
  /** `/evm.v1.FleetService/GetFleet` */
  readonly method: string;
  /** Where the client is, for logs. */
  readonly peer: string;
  /** Fires when the client cancels or goes away, and at its deadline. */
  readonly signal: AbortSignal;
};

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, call: CallContext) => AsyncIterable<MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            call: CallContext,
          ) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageShape<I>>,
              call: CallContext,
            ) => AsyncIterable<MessageInitShape<O>>
          : never;

/** One handler for every method of a service. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: Handler<S["method"][K]>;
};

/** Turns whatever a handler threw into what the client gets; the place to log and to count. */
export type ErrorConverter = (error: unknown, call: CallContext) => RpcError;

/** Registers a service. A handler that throws fails its call with what `toRpcError` makes of it. */
export function addService<S extends DescService>(
  server: Server,
  service: S,
  handlers: Handlers<S>,
  toRpcError: ErrorConverter,
): void {
  const definition: Record<string, MethodDefinition<Message, Message>> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      path: methodPath(method),
      requestStream: ["client_streaming", "bidi_streaming"].includes(method.methodKind),
      responseStream: ["server_streaming", "bidi_streaming"].includes(method.methodKind),
      requestSerialize: serializer(method.input),
      requestDeserialize: deserializer(method.input),
      responseSerialize: serializer(method.output),
      responseDeserialize: deserializer(method.output),
      originalName: method.localName,
    };
    implementation[method.localName] = handleCall(method, handlers, toRpcError);
  }
  server.addService(definition, implementation);
}

/** Handlers as they are when only the kind of the method is known. */
type Init = MessageInitShape<DescMessage>;
type UntypedHandlers = {
  unary: (request: Message, call: CallContext) => Promise<Init>;
  server_streaming: (request: Message, call: CallContext) => AsyncIterable<Init>;
  client_streaming: (requests: AsyncIterable<Message>, call: CallContext) => Promise<Init>;
  bidi_streaming: (requests: AsyncIterable<Message>, call: CallContext) => AsyncIterable<Init>;
};

/**
 * The one place where the compiler is told rather than asked: `Handlers` gave each method a handler
 * of its kind, and grpc-js deserialized the request with that method's own descriptor.
 */
function handlerOf<S extends DescService, K extends keyof UntypedHandlers>(
  handlers: Handlers<S>,
  method: DescMethod,
  kind: K,
): UntypedHandlers[K];
function handlerOf(handlers: { readonly [name: string]: unknown }, method: DescMethod): unknown {
  return handlers[method.localName];
}

function handleCall<S extends DescService>(
  method: DescMethod,
  handlers: Handlers<S>,
  toRpcError: ErrorConverter,
): UntypedHandleCall {
  switch (method.methodKind) {
    case "unary": {
      const handler = handlerOf(handlers, method, "unary");
      return (call: ServerUnaryCall<Message, Message>, callback: sendUnaryData<Message>) =>
        reply(method, call, callback, toRpcError, (context) => handler(call.request, context));
    }
    case "client_streaming": {
      const handler = handlerOf(handlers, method, "client_streaming");
      return (call: ServerReadableStream<Message, Message>, callback: sendUnaryData<Message>) =>
        reply(method, call, callback, toRpcError, (context) => handler(call, context));
    }
    case "server_streaming": {
      const handler = handlerOf(handlers, method, "server_streaming");
      return (call: ServerWritableStream<Message, Message>) =>
        stream(method, call, toRpcError, (context) => handler(call.request, context));
    }
    case "bidi_streaming": {
      const handler = handlerOf(handlers, method, "bidi_streaming");
      return (call: ServerDuplexStream<Message, Message>) =>
        stream(method, call, toRpcError, (context) => handler(call, context));
    }
  }
}

/** What all four kinds of grpc-js's server calls have. */
type ServerCall = {
  readonly cancelled: boolean;
  getPath(): string;
  getPeer(): string;
  once(event: "cancelled", listener: () => void): unknown;
};

function contextOf(call: ServerCall): CallContext {
  const cancelled = new AbortController();
  const cancel = () =>
    cancelled.abort(new RpcError("cancelled", `${call.getPath()}: the client has gone`));
  call.once("cancelled", cancel);
  if (call.cancelled) cancel();
  return { method: call.getPath(), peer: call.getPeer(), signal: cancelled.signal };
}

async function reply(
  method: DescMethod,
  call: ServerCall,
  callback: sendUnaryData<Message>,
  toRpcError: ErrorConverter,
  handle: (context: CallContext) => Promise<Init>,
): Promise<void> {
  const context = contextOf(call);
  try {
    callback(null, create(method.output, await handle(context)));
  } catch (error) {
    callback(toStatus(toRpcError(error, context)));
  }
}

async function stream(
  method: DescMethod,
  call: ServerCall & EventEmitter & { write(message: Message): boolean; end(): unknown },
  toRpcError: ErrorConverter,
  handle: (context: CallContext) => AsyncIterable<Init>,
): Promise<void> {
  const context = contextOf(call);
  try {
    for await (const message of handle(context)) {
      if (context.signal.aborted) return;
      if (!call.write(create(method.output, message))) {
        await once(call, "drain", { signal: context.signal });
      }
    }
    call.end();
  } catch (error) {
    const status = toStatus(toRpcError(error, context));
    if (!context.signal.aborted) call.emit("error", status);
  }
}
