/** Settings of an agent: `--config`, or the file that EVM_AGENT_CONFIG names, or none. */
import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import { loadSettings } from "@evm/codec";
import { isHostName } from "@evm/fleet";
import { LOG_LEVELS } from "@evm/telemetry";
import { z } from "zod";

const text = z.string({ error: "a text that is not empty" }).min(1, "a text that is not empty");
const path = text.refine(isAbsolute, "an absolute path");
const amount = z.number({ error: "a number from 0" }).min(0, "a number from 0");
const port = z.int({ error: "a port, 0 to 65535" }).min(0).max(65_535);
const HOST_NAME = "a host name: 1 to 63 of a-z 0-9 -, not starting or ending in -";

const pool = z.strictObject({
  name: text.regex(/^[a-z0-9-]+$/, "a name of a-z 0-9 -"),
  /** A directory on one disk that exists, and that QEMU may read. */
  path,
});

const schema = z.strictObject({
  /**
   * Names this host, and marks what it runs: under another name it would see none of it. Of two
   * machines of one name, such as clones, only the first is taken in.
   */
  host: z
    .string({ error: HOST_NAME })
    .refine(isHostName, HOST_NAME)
    .prefault(() => defaultHost(hostname())),
  /** What placement constraints refer to. */
  labels: z.record(text, z.coerce.string<string | number | boolean>()).default({}),
  natsServers: z.array(text).min(1, "at least one server").default(["nats://127.0.0.1:4222"]),
  natsUser: text.optional(),
  natsPassword: text.optional(),
  stateDir: path.default("/var/lib/evm/agent"),
  pools: z
    .array(pool)
    .min(1, "at least one pool")
    .refine((pools) => new Set(pools.map(({ name }) => name)).size === pools.length, {
      error: "pools with different names",
    })
    .refine((pools) => new Set(pools.map(({ path }) => path)).size === pools.length, {
      error: "pools with different paths",
    })
    .default([{ name: "main", path: "/var/lib/evm/pool" }]),
  /** Which kinds of instances this host runs. */
  drivers: z.array(z.enum(["vm", "container"], "vm or container")).default(["vm", "container"]),
  libvirt: z
    .strictObject({
      socketPath: path.default("/var/run/libvirt/libvirt-sock"),
      uri: text.default("qemu:///system"),
    })
    .prefault({}),
  docker: z.strictObject({ socketPath: path.default("/var/run/docker.sock") }).prefault({}),
  /** What is kept back for the host itself. */
  reserve: z
    .strictObject({
      vcpus: amount.default(0),
      memoryMib: amount.default(1024),
      diskMib: amount.default(1024),
    })
    .prefault({}),
  metrics: z
    .strictObject({ address: text.default("127.0.0.1"), port: port.default(9472) })
    .prefault({}),
  logLevel: z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(", ")}`).default("info"),
});

export type AgentConfig = z.infer<typeof schema>;

/** Throws a `CodecError` that names every problem. */
export function loadConfig(
  file: string | undefined,
  environment: { readonly [name: string]: string | undefined },
): AgentConfig {
  const { EVM_AGENT_CONFIG: named, ...others } = environment;
  return loadSettings(schema, {
    file: file ?? named,
    environment: others,
    prefix: "EVM_AGENT_",
  });
}

/** The machine's own name, reduced to what a host may be called. */
export function defaultHost(name: string): string {
  const [label = ""] = name.toLowerCase().split(".");
  return label.replaceAll(/[^a-z0-9-]/g, "-").replaceAll(/^-+|-+$/g, "") || "host";
}
