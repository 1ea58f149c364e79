/** The gRPC server: every service, reflection, health, and one place where errors become codes. */
import {
  addReflection,
  addService,
  type CallContext,
  ClusterService,
  EventService,
  FleetService,
  Health,
  HostService,
  ImageService,
  InstanceService,
} from "@evm/protocol";
import type { Log } from "@evm/telemetry";
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import type { CoordinatorMetrics } from "../metrics.ts";
import { clusterHandlers } from "./cluster.ts";
import type { ApiContext } from "./context.ts";
import { toRpcError } from "./errors.ts";
import { eventHandlers } from "./events.ts";
import { fleetHandlers } from "./fleets.ts";
import { healthHandlers } from "./health.ts";
import { hostHandlers } from "./hosts.ts";
import { imageHandlers } from "./images.ts";
import { instanceHandlers } from "./instances.ts";

const SERVICES = [
  FleetService,
  InstanceService,
  HostService,
  ImageService,
  EventService,
  ClusterService,
] as const;

export type ApiServerOptions = {
  readonly context: ApiContext;
  /** `host:port`; port 0: any free one. */
  readonly address: string;
  readonly log: Log;
  readonly metrics: CoordinatorMetrics;
};

/** A running API; disposing of it lets calls end for a moment, then ends them. */
export interface ApiServer extends AsyncDisposable {
  readonly port: number;
}

/** So long may calls that are under way take to end when the server does. */
const GRACE_MS = 1_000;
/** A page of 1,000 instances is some 300 kB; a request to apply 500 fleets may be larger. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Starts to serve. Throws where the address cannot be had. */
export async function serveApi(options: ApiServerOptions): Promise<ApiServer> {
  const { context, address, log, metrics } = options;
  const server = new Server({
    interceptors: [counting(metrics)],
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  });
  const toError = (error: unknown, call: CallContext) => toRpcError(error, call, log);
  addService(server, FleetService, fleetHandlers(context), toError);
  addService(server, InstanceService, instanceHandlers(context), toError);
  addService(server, HostService, hostHandlers(context), toError);
  addService(server, ImageService, imageHandlers(context), toError);
  addService(server, EventService, eventHandlers(context), toError);
  addService(server, ClusterService, clusterHandlers(context), toError);
  addService(server, Health, healthHandlers(context, SERVICES), toError);
  addReflection(server, [...SERVICES, Health], toError);
  const port = await bind(server, address);
  return { port, [Symbol.asyncDispose]: () => close(server) };
}

/** Counts every call by how it ended. */
const counting =
  (metrics: CoordinatorMetrics): ServerInterceptor =>
  (method, call) =>
    new ServerInterceptingCall(call, {
      sendStatus(sent, next) {
        metrics.requests.inc({ method: method.path, code: status[sent.code ?? status.OK] });
        next(sent);
      },
    });

function bind(server: Server, address: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(new Error(`serving the API on ${address}: ${error.message}`, { cause: error }));
  });
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => server.forceShutdown(), GRACE_MS);
  server.tryShutdown(() => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
