/** What a coordinator asks of a host that is not state: between wire and model. */
import type { InstanceName } from "@evm/fleet";
import {
  HostConsoleRequestSchema,
  HostLogsRequestSchema,
  type HostConsoleRequest as WireConsole,
  type HostLogsRequest as WireLogs,
} from "@evm/protocol";
import { z } from "zod";
import { codec } from "./codec.ts";
import { boolean, instanceName, uint32 } from "./fields.ts";

/** Which instance's terminal; incarnation 0 means the newest on the host. */
export type HostConsoleRequest = {
  readonly instance: InstanceName;
  readonly incarnation: number;
};

/** Which instance's output, and how much of it; absent `tailLines` means everything kept. */
export type HostLogsRequest = HostConsoleRequest & {
  readonly tailLines: number | undefined;
  readonly isFollowing: boolean;
};

const target = { instance: instanceName, incarnation: uint32 };

export const hostLogsRequestCodec = codec<HostLogsRequest, typeof HostLogsRequestSchema>({
  what: "request for logs",
  desc: HostLogsRequestSchema,
  schema: z.object({
    ...target,
    tailLines: z.union([uint32, z.undefined()]),
    isFollowing: boolean,
  }),
  init: ({ instance, incarnation, tailLines, isFollowing }) => ({
    instance,
    incarnation,
    isFollowing,
    ...(tailLines === undefined ? {} : { tailLines }),
  }),
  shape: ({ instance, incarnation, tailLines, isFollowing }: WireLogs) => ({
    instance,
    incarnation,
    tailLines,
    isFollowing,
  }),
});

export const hostConsoleRequestCodec = codec<HostConsoleRequest, typeof HostConsoleRequestSchema>({
  what: "request for a console",
  desc: HostConsoleRequestSchema,
  schema: z.object(target),
  init: ({ instance, incarnation }) => ({ instance, incarnation }),
  shape: ({ instance, incarnation }: WireConsole) => ({ instance, incarnation }),
});
