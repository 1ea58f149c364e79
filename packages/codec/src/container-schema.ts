/** What an operator types to describe a container, and the model that it means. */
import type { HealthCheck, PortMapping } from "@evm/fleet";
import { z } from "zod";
import { duration } from "./duration.ts";
import { environment, filledText, listOf, oneOf, port, whole, word } from "./fields.ts";
import { MIN_PROBE_MS, PROTOCOLS } from "./model-schema.ts";
import { exactlyOne, strict } from "./strict.ts";

/** A folder with a Dockerfile, to be packed. */
export type BuildSource = { readonly folder: string; readonly dockerfile: string };

const PORT = 'a port: 8080, "8081:80", "53:53/udp" or {container: 80, host: 8081, protocol: tcp}';

const portText = z.string({ error: PORT }).transform((typed, context): PortMapping => {
  const [, host, container, protocol] = /^(?:(\d+):)?(\d+)(?:\/(tcp|udp))?$/.exec(typed) ?? [];
  const isPort = (number: number) => port.safeParse(number).success;
  const hostPort = host === undefined ? undefined : Number(host);
  if (isPort(Number(container)) && (hostPort === undefined || isPort(hostPort))) {
    const containerPort = Number(container);
    return { containerPort, hostPort, protocol: protocol === "udp" ? "udp" : "tcp" };
  }
  context.issues.push({ code: "custom", message: PORT, input: typed });
  return z.NEVER;
});

const portMapping = z.union(
  [
    port.transform(
      (containerPort): PortMapping => ({ containerPort, hostPort: undefined, protocol: "tcp" }),
    ),
    portText,
    strict(
      {
        container: port.describe("Port inside the container."),
        host: port.optional().describe("Port on the host. Default: a free one."),
        protocol: oneOf(PROTOCOLS).prefault("tcp"),
      },
      PORT,
    ).transform(
      ({ container, host, protocol }): PortMapping => ({
        containerPort: container,
        hostPort: host,
        protocol,
      }),
    ),
  ],
  { error: PORT },
);

const healthCheck = strict(
  {
    command: listOf(word)
      .min(1, { error: "a command of at least one word" })
      .describe("Run inside the container; exit code 0 is healthy."),
    interval: duration(MIN_PROBE_MS).prefault("10s"),
    timeout: duration(MIN_PROBE_MS).prefault("5s"),
    retries: whole(1, 1_000).prefault(3).describe("Failures in a row that make it unhealthy."),
    startPeriod: duration().prefault("0s").describe("Failures this soon after the start are free."),
  },
  "a health check: command, interval, timeout, retries, startPeriod",
).transform(
  ({ command, interval, timeout, retries, startPeriod }): HealthCheck => ({
    command,
    intervalMs: interval,
    timeoutMs: timeout,
    retries,
    startPeriodMs: startPeriod,
  }),
);

const build = z.union(
  [
    filledText.transform((folder): BuildSource => ({ folder, dockerfile: "Dockerfile" })),
    strict(
      {
        context: filledText.describe("Folder, relative to this file."),
        dockerfile: filledText.prefault("Dockerfile").describe("Path inside the folder."),
      },
      "a folder with a Dockerfile",
    ).transform(({ context, dockerfile }): BuildSource => ({ folder: context, dockerfile })),
  ],
  { error: "a folder, or {context: …, dockerfile: …}" },
);

export const container = strict(
  {
    image: filledText.optional().describe("Image that Docker can pull, or that the host has."),
    build: build.optional().describe("A folder with a Dockerfile, in place of an image."),
    command: listOf(word).prefault([]).describe("Default: the image's own command."),
    environment: environment.prefault({}),
    ports: listOf(portMapping).prefault([]),
    healthCheck: healthCheck.optional().describe("Default: ready when it runs."),
  },
  "a container: image or build, command, environment, ports, healthCheck",
)
  .refine(...exactlyOne("image", "build"))
  .meta({ oneOf: [{ required: ["image"] }, { required: ["build"] }] });
