/** Docker's HTTP API over its socket, with nothing between. */
import { request } from "node:http";
import { json } from "node:stream/consumers";

/** Of the daemon that DOCKER_HOST names, as for Docker's own command, or else the usual one. */
export const DOCKER_SOCKET_PATH = (process.env["DOCKER_HOST"] ?? "/var/run/docker.sock").replace(
  /^unix:\/\//,
  "",
);

export type JsonObject = { readonly [name: string]: unknown };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null;

/** Fails for every answer that is not a success; an empty one is undefined. */
export async function docker(
  method: string,
  path: string,
  body?: JsonObject,
  socketPath: string = DOCKER_SOCKET_PATH,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const headers = { "content-type": "application/json" };
  const call = request({ socketPath, method, path, headers }, (response) => {
    const status = response.statusCode ?? 0;
    if (status === 204 || status === 304) {
      response.resume();
      resolve(undefined);
      return;
    }
    json(response).then((answer) => {
      if (status < 300) resolve(answer);
      else reject(new Error(`docker ${method} ${path}: ${status} ${JSON.stringify(answer)}`));
    }, reject);
  });
  call.on("error", reject);
  call.end(body === undefined ? undefined : JSON.stringify(body));
  return await promise;
}

/** What must be an object; anything else is not Docker. */
export async function dockerObject(
  method: string,
  path: string,
  body?: JsonObject,
  socketPath?: string,
): Promise<JsonObject> {
  const answer = await docker(method, path, body, socketPath);
  if (isObject(answer)) return answer;
  throw new Error(`docker ${method} ${path}: expected an object`);
}
