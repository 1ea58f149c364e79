/** The streams that EVM keeps, and the check that a server really keeps them as asked. */
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  CONTROL_BUCKET,
  EVENT_SUBJECTS,
  EVENTS_STREAM,
  keySubject,
  ORDERS_REPUBLISH,
  REPORTS_BUCKET,
} from "@evm/protocol";
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { MAX_EVENTS } from "../event-log.ts";
import { StoreError } from "../store.ts";
import { abortedError } from "../wakeups.ts";
import { toStoreError } from "./errors.ts";
import { type Link, REQUEST_DEADLINE_MS } from "./link.ts";

/** Atomic batches came with 2.12; older servers take the setting and ignore it. */
const OLDEST_SERVER = [2, 12] as const;
const INSTALL = "install nats-server 2.12 or newer";

/** 500 hosts with the largest orders, ten thousands with usual ones; the server sets it aside. */
const MAX_CONTROL_BYTES = 256 * 1024 ** 2;
/** As for orders: a report is about as large. */
const MAX_REPORTS_BYTES = 256 * 1024 ** 2;
/** With `MAX_EVENTS` events of the usual 300 bytes a tenth of this; the rest is for long texts. */
const MAX_EVENTS_BYTES = 32 * 1024 ** 2;
/** For "what happened last week"; longer is the business of whoever collects the logs. */
const MAX_EVENTS_AGE_MS = 14 * 24 * 3600 * 1000;

/** Servers of a new cluster need a while to agree; then the refusal is the answer. */
const CREATE_DEADLINE_MS = 30_000;
const CREATE_PAUSE_MS = 500;

/** The name of the stream behind a key-value bucket, by the convention of NATS. */
export const bucketStream = (bucket: string): string => `KV_${bucket}`;

type Settings = Partial<StreamConfig> & { readonly name: string };

/** What must come back as it was asked for; other settings may be tuned by whoever runs NATS. */
const REQUIRED = [
  "subjects",
  "storage",
  "discard",
  "max_msgs_per_subject",
  "allow_direct",
  "allow_atomic",
  "republish",
] as const;

const bucket = (name: string, replicas: number, maxBytes: number): Settings => ({
  name: bucketStream(name),
  subjects: [keySubject(name, ">")],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  num_replicas: replicas,
  max_msgs_per_subject: 1,
  max_bytes: maxBytes,
  // Full is an error for the writer; dropping old keys would lose state.
  discard: DiscardPolicy.New,
  // Direct gets are answered by any replica, for up to 25 s with old values by an isolated one.
  allow_direct: false,
  deny_delete: true,
});

const streams = (replicas: number): readonly Settings[] => [
  {
    ...bucket(CONTROL_BUCKET, replicas, MAX_CONTROL_BYTES),
    allow_atomic: true,
    republish: { src: ORDERS_REPUBLISH.source, dest: ORDERS_REPUBLISH.destination },
  },
  bucket(REPORTS_BUCKET, replicas, MAX_REPORTS_BYTES),
  {
    name: EVENTS_STREAM,
    subjects: [EVENT_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs: MAX_EVENTS,
    max_bytes: MAX_EVENTS_BYTES,
    max_age: nanos(MAX_EVENTS_AGE_MS),
    discard: DiscardPolicy.Old,
    allow_direct: false,
  },
];

/** @throws StoreError unsuitable for a server that is too old, naming its version */
export function checkServerVersion(version: string | undefined): void {
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_SERVER;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  const text = `it is version ${version ?? "unknown"}, which has no atomic batches`;
  throw new StoreError("unsuitable", `checking the NATS server: ${text}; ${INSTALL}`);
}

/** Three copies where there is a cluster, else one. */
export const defaultReplicas = (link: Link): number =>
  link.nats.info?.cluster === undefined ? 1 : 3;

/** Creates what is missing, and checks what is there. */
export async function ensureStreams(
  link: Link,
  replicas: number,
  signal: AbortSignal,
): Promise<void> {
  checkServerVersion(link.nats.info?.version);
  const manager = await jetstreamManager(link.nats, {
    timeout: REQUEST_DEADLINE_MS,
    checkAPI: false,
  });
  for (const settings of streams(replicas)) {
    const doing = `setting up stream ${settings.name}`;
    await untilAnswered(doing, signal, async () => {
      const found = await streamConfig(link, settings.name, doing, signal);
      check(settings, found ?? (await link.bounded(doing, signal, () => add(manager, settings))));
    });
  }
}

/** Undefined where there is no such stream. */
export async function streamConfig(
  link: Link,
  stream: string,
  doing: string,
  signal: AbortSignal,
): Promise<StreamConfig | undefined> {
  return await link.ask(doing, signal, async (manager) => {
    try {
      return (await manager.streams.info(stream)).config;
    } catch (error) {
      const isAbsent =
        error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
      if (!isAbsent) throw error;
      return undefined;
    }
  });
}

const add = async (manager: JetStreamManager, settings: Settings): Promise<StreamConfig> =>
  (await manager.streams.add(settings)).config;

/** @throws StoreError unsuitable where a setting that EVM relies on is not as asked */
function check(wanted: Settings, found: StreamConfig): void {
  for (const setting of REQUIRED) {
    const [asked, got] = [wanted[setting], found[setting]];
    if (asked === undefined || isDeepStrictEqual(asked, got)) continue;
    const difference = `${setting} is ${JSON.stringify(got)}, not ${JSON.stringify(asked)}`;
    const remedy = `${INSTALL}, or remove a stream of this name that is not EVM's`;
    throw new StoreError("unsuitable", `checking stream ${wanted.name}: ${difference}; ${remedy}`);
  }
  const copies = wanted.num_replicas ?? 1;
  if (found.num_replicas < copies) {
    const text = `${found.num_replicas} replicas, not ${copies}; run: nats stream edit`;
    throw new StoreError(
      "unsuitable",
      `checking stream ${wanted.name}: ${text} ${wanted.name} --replicas ${copies}`,
    );
  }
}

/** Tries again while the cluster cannot answer yet. */
export async function untilAnswered(
  doing: string,
  signal: AbortSignal,
  call: () => Promise<void>,
): Promise<void> {
  const deadline = AbortSignal.timeout(CREATE_DEADLINE_MS);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const failure = toStoreError(doing, error);
      if (!failure.isTransient || deadline.aborted) throw failure;
    }
    await setTimeout(CREATE_PAUSE_MS, undefined, { signal }).catch(() => {
      throw abortedError(signal, doing);
    });
  }
}
