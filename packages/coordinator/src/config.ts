/** Settings of a coordinator: `--config`, or the file EVM_COORDINATOR_CONFIG names, or none. */
import { hostname } from "node:os";
import { loadSettings } from "@evm/codec";
import { LOG_LEVELS } from "@evm/telemetry";
import { z } from "zod";

const port = z.int({ error: "a port, 0 to 65535" }).min(0).max(65_535);
const factor = z.number({ error: "a factor of at least 1" }).min(1, "a factor of at least 1");
const share = z.number({ error: "a share, 0 to 1" }).min(0, "at least 0").max(1, "at most 1");
const text = z.string({ error: "a text that is not empty" }).min(1, "a text that is not empty");

/**
 * A host asks every second at the most, and stops what must not run twice 2.5 s before its lease
 * ends.
 */
const MIN_LEASE_MS = 5_000;
/** Above what a busy machine may let a program wait for its turn. */
const MIN_MARGIN_MS = 500;

/** Each look compares all that is declared. */
const MIN_EXPORT_INTERVAL_MS = 1_000;

const atLeast = (least: number) => {
  const error = `milliseconds, at least ${least}`;
  return z.int({ error }).min(least, error);
};

const schema = z.strictObject({
  /** Names this coordinator; unique in the cluster and the same after a restart. */
  id: text.regex(/^[A-Za-z0-9_-]+$/, "letters, digits, _ and -").default(defaultId()),
  natsServers: z.array(text).min(1, "at least one server").default(["nats://127.0.0.1:4222"]),
  natsUser: text.optional(),
  natsPassword: text.optional(),
  /** Copies of the shared state; by default 1 on a single NATS server, 3 on a cluster. */
  natsReplicas: z.union([z.literal(1), z.literal(3), z.literal(5)], "1, 3 or 5").optional(),
  api: z
    .strictObject({ address: text.default("127.0.0.1"), port: port.default(7070) })
    .prefault({}),
  metrics: z
    .strictObject({ address: text.default("127.0.0.1"), port: port.default(9471) })
    .prefault({}),
  lease: z
    .strictObject({
      /** A host that is not heard of for this long, and `marginMs` more, is lost. */
      leaseMs: atLeast(MIN_LEASE_MS).default(6_000),
      marginMs: atLeast(MIN_MARGIN_MS).default(1_500),
    })
    .prefault({}),
  /** How far a host's capacity may be promised. */
  overcommit: z
    .strictObject({
      vcpu: factor.default(4),
      memory: factor.default(1),
      disk: factor.default(2),
    })
    .prefault({}),
  brake: z
    .strictObject({
      /**
       * Where more than this share of the hosts fall silent at once, EVM takes itself to be cut off
       * and calls none of them lost. One host always may; 1: all may.
       */
      maxLostShare: share.default(0.3),
    })
    .prefault({}),
  /**
   * A command that disturbs more than this share of the instances, or instances on more than this
   * share of the hosts, has to name their number; fewer than `minInstances` never.
   */
  blastRadius: z
    .strictObject({
      maxShare: share.default(0.25),
      minInstances: z.int({ error: "a whole number" }).min(1, "at least 1").default(10),
      /** What is given up is ended so many at once, as a share of all instances, or 10. */
      waveShare: share.default(0.1),
    })
    .prefault({}),
  /** Exports of the cluster, for evm restore; absent: none are written. */
  export: z
    .strictObject({
      /** A folder on this machine. */
      path: text,
      /** Between looks; an export is written where something changed. */
      intervalMs: atLeast(MIN_EXPORT_INTERVAL_MS).default(60_000),
      keep: z.int({ error: "a whole number of at least 1" }).min(1, "at least 1").default(100),
    })
    .optional(),
  logLevel: z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(", ")}`).default("info"),
});

export type CoordinatorConfig = z.infer<typeof schema>;

/** Throws a `CodecError` that names every problem. */
export const loadConfig = (
  file: string | undefined,
  environment: { readonly [name: string]: string | undefined },
): CoordinatorConfig => {
  const { EVM_COORDINATOR_CONFIG: named, ...others } = environment;
  return loadSettings(schema, {
    file: file ?? named,
    environment: others,
    prefix: "EVM_COORDINATOR_",
  });
};

/** The machine's name, reduced to what an id may hold. */
function defaultId(): string {
  return hostname().replaceAll(/[^A-Za-z0-9_-]/g, "-") || "coordinator";
}
