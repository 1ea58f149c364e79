/** Small valid values, and waiting without sleeping, for the contract suite. */
import { createHash } from "node:crypto";
import {
  type AgentId,
  type Digest,
  type EventRecord,
  type FleetName,
  type FleetRecord,
  type HostName,
  type Image,
  type ImageName,
  type InstanceName,
  NO_ROLLOUT,
  type Orders,
  type Report,
} from "@evm/fleet";
import type { CoordinatorStore, EventQuery, HostStore, WriteOutcome } from "../store.ts";

/** One empty store; participants are connected to it as a test needs them. */
export type StoreUnderTest = AsyncDisposable & {
  coordinator(id: string): Promise<CoordinatorStore>;
  host(name: HostName): Promise<HostStore>;
};

export type Setup = () => Promise<StoreUnderTest>;

/** Far above what any step takes: a hang ends with an error that says what hung. */
export const soon = (): AbortSignal => AbortSignal.timeout(20_000);

export const hostName = (text: string) => text as HostName;
export const agentOf = (host: string) => `agent-${host}` as AgentId;
export const fleetName = (text: string) => text as FleetName;
export const imageName = (text: string) => text as ImageName;

export const digestOf = (content: string | Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(content).digest("hex")}` as Digest;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export function fleet(name: string, replicas = 1): FleetRecord {
  return {
    spec: {
      name: fleetName(name),
      replicas,
      labels: { team: "blue" },
      template: {
        kind: "container",
        resources: { vcpuMillis: 500, memoryMib: 64, diskMib: 128 },
        source: { kind: "image", reference: "busybox:1" },
        command: ["sleep", "1000"],
        environment: { MODE: "test" },
        ports: [],
        healthCheck: undefined,
      },
      placement: { constraints: [], strategy: "spread", apartFrom: [] },
      restart: {
        mode: "always",
        maxRestarts: 5,
        windowMs: 60_000,
        backoffMs: 100,
        maxBackoffMs: 10_000,
      },
      update: { maxUnavailable: 1, maxSurge: 0, failureThreshold: 1, onFailure: "pause" },
      onHostLoss: "restart",
      onIsolation: "keep",
    },
    image: undefined,
    template: digestOf(name),
    state: "active",
    wishes: [{ index: 0, isStopped: true, minIncarnation: 2 }],
    rollout: NO_ROLLOUT,
  };
}

export function image(name: string): Image {
  return {
    name: imageName(name),
    osFamily: "linux",
    disk: { url: "file:///images/disk.qcow2", digest: digestOf(name), sizeBytes: 1024 },
    diskFormat: "qcow2",
    boot: { kind: "disk" },
  };
}

/** Orders for one host, with so many instances of one fleet. */
export function orders(host: string, epoch: number, generation: number, instances = 1): Orders {
  return {
    host: hostName(host),
    agent: agentOf(host),
    epoch,
    generation,
    templates: [],
    fleets: [],
    instances: Array.from({ length: instances }, (_, index) => ({
      name: `web-${String(index).padStart(4, "0")}` as InstanceName,
      fleet: fleetName("web"),
      index,
      incarnation: 1,
      template: digestOf("web"),
      desired: "run" as const,
    })),
  };
}

export function report(host: string, reportedAt = 1000): Report {
  return {
    host: hostName(host),
    agent: agentOf(host),
    reportedAt,
    epoch: 0,
    generation: 0,
    labels: {},
    capacity: { vcpuMillis: 4000, memoryMib: 8192, diskMib: 100_000 },
    drivers: [],
    pools: [],
    instances: [],
  };
}

export function event(text: string, about: Partial<EventRecord> = {}): EventRecord {
  return {
    at: 1000,
    source: "coordinator/c1",
    severity: "info",
    reason: "Tested",
    fleet: undefined,
    instance: undefined,
    host: undefined,
    text,
    ...about,
  };
}

export const query = (about: Partial<EventQuery> = {}): EventQuery => ({
  fleet: undefined,
  instance: undefined,
  host: undefined,
  afterSequence: 0,
  beforeSequence: undefined,
  limit: 100,
  ...about,
});

/** The revision of a write that must have succeeded. */
export function written(outcome: WriteOutcome): number {
  if (outcome.kind !== "written") throw new Error(`write: ${outcome.kind}`);
  return outcome.revision;
}

/** Leads: takes the epoch from whoever holds it, and gives it back as a number. */
export async function lead(coordinator: CoordinatorStore, id: string): Promise<number> {
  const { epoch } = coordinator.control().epoch;
  const revision = written(await coordinator.claimEpoch(id, epoch, soon()));
  await coordinator.caughtUp(revision, soon());
  return revision;
}

/** Resolves once `isTrue`, looked at again whenever `watch` wakes. */
export async function eventually(
  watch: (wake: () => void, signal: AbortSignal) => void,
  isTrue: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = soon();
  const over = new AbortController();
  let woken = Promise.withResolvers<void>();
  deadline.addEventListener("abort", () => woken.reject(deadline.reason), { signal: over.signal });
  watch(() => woken.resolve(), AbortSignal.any([over.signal, deadline]));
  try {
    while (!(await isTrue())) {
      await woken.promise;
      woken = Promise.withResolvers();
    }
  } finally {
    over.abort();
  }
}

/** A round trip on the connection: what was subscribed to on it before is now heard. */
export async function heard(store: CoordinatorStore | HostStore): Promise<void> {
  if ("readOrders" in store) await store.readOrders(soon());
  else await store.listEvents(query(), soon());
}

export async function* pieces(...contents: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* contents;
}

/** Everything that comes, as one. */
export async function collect(incoming: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of incoming) all.push(piece);
  return Buffer.concat(all);
}
