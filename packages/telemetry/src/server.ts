/** What a program shows of itself over HTTP: `/metrics`, and `/healthz` with a reason. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";

export type Health = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export type TelemetryOptions = {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly registry: Registry;
  readonly health: () => Health;
};

/** A running endpoint; disposing of it closes it with all its connections. */
export interface TelemetryServer extends AsyncDisposable {
  readonly port: number;
}

/** So long may a request take to arrive: nobody has a large one to send here. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Starts to serve. Throws where the address cannot be had. */
export async function serveTelemetry(options: TelemetryOptions): Promise<TelemetryServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(options, request, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  server.listen(options.port, options.address);
  try {
    await once(server, "listening");
  } catch (error) {
    const at = `${options.address}:${options.port}`;
    throw new Error(`serving metrics on ${at}: ${asError(error).message}`, { cause: error });
  }
  return { port: portOf(server), [Symbol.asyncDispose]: () => close(server) };
}

async function answer(
  { registry, health }: TelemetryOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { "content-type": type });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  if (request.method !== "GET" && request.method !== "HEAD") {
    return send(405, "text/plain", "GET or HEAD\n");
  }
  switch (request.url?.split("?")[0]) {
    case "/metrics":
      return send(200, registry.contentType, await registry.metrics());
    case "/healthz": {
      const state = health();
      return send(state.ok ? 200 : 503, "text/plain", `${state.ok ? "ok" : state.reason}\n`);
    }
    default:
      return send(404, "text/plain", "There are /metrics and /healthz.\n");
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
