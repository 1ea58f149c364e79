/** Logs and consoles: byte streams between a client and the host that runs the instance. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { HostName } from "@evm/fleet";
import {
  HostConsoleRequestSchema,
  HostLogsRequestSchema,
  type OpenConsoleRequest,
  RpcError,
  type StreamLogsRequest,
} from "@evm/protocol";
import type { InstanceView } from "../instances.ts";
import type { ApiContext } from "./context.ts";
import { whileCalling } from "./while-calling.ts";

export async function* streamLogs(
  { store }: ApiContext,
  view: InstanceView,
  { tailLines, follow }: StreamLogsRequest,
  signal: AbortSignal,
): AsyncGenerator<{ data: Uint8Array }> {
  const request = create(HostLogsRequestSchema, {
    instance: view.name,
    incarnation: view.incarnation,
    isFollowing: follow,
    ...(tailLines === undefined ? {} : { tailLines }),
  });
  const payload = toBinary(HostLogsRequestSchema, request);
  await using stream = await store.openVerb(hostOf(view), "logs", payload, signal);
  for await (const data of stream.incoming) yield { data };
}

/** @param newest finds the instance that the first request names */
export async function* openConsole(
  { store }: ApiContext,
  newest: (name: string) => InstanceView,
  requests: AsyncIterable<OpenConsoleRequest>,
  signal: AbortSignal,
): AsyncGenerator<{ output: Uint8Array }> {
  const inputs = whileCalling(requests, signal);
  const first = await inputs.next();
  if (first.done === true) return;
  const view = newest(first.value.name);
  const request = create(HostConsoleRequestSchema, {
    instance: view.name,
    incarnation: view.incarnation,
  });
  const payload = toBinary(HostConsoleRequestSchema, request);
  await using stream = await store.openVerb(hostOf(view), "console", payload, signal);
  // The client's end of input ends the session; so does anything that goes wrong with it, which
  // then shows as the end of `incoming`.
  const typing = (async () => {
    for (let next = await inputs.next(); next.done !== true; next = await inputs.next()) {
      await stream.send(next.value.input);
    }
  })().finally(() => stream[Symbol.asyncDispose]());
  typing.catch(() => undefined);
  for await (const output of stream.incoming) yield { output };
}

function hostOf({ name, host }: InstanceView): HostName {
  if (host !== undefined) return host;
  throw new RpcError("failedPrecondition", `instance "${name}": has no host yet`);
}
