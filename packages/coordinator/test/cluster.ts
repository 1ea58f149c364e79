/** A coordinator with its API on a memory store, and hosts that say what tests make them say. */

import { create } from "@bufbuild/protobuf";
import { fleetSpecCodec, ordersCodec, templateDigest } from "@evm/codec";
import {
  type AgentId,
  acceptOrders,
  type Clock,
  type Digest,
  type FleetRecord,
  type HostName,
  type Image,
  type ImageName,
  isAgentId,
  isHostName,
  isSame,
  NO_ROLLOUT,
  type Observed,
  type ObservedPhase,
  type Orders,
  type Report,
  type Template,
} from "@evm/fleet";
import { FleetSpecSchema, GrpcClient } from "@evm/protocol";
import { createMemoryStore, type HostStore, type MemoryStore } from "@evm/store";
import { createLog, type Log, Metrics, systemClock, Wake } from "@evm/telemetry";
import { credentials } from "@grpc/grpc-js";
import { serveApi } from "../src/api/serve.ts";
import { Coordinator } from "../src/coordinator.ts";
import { type CoordinatorMetrics, createCoordinatorMetrics } from "../src/metrics.ts";

const DEADLINE_MS = 20_000;

export const soon = (): { signal: AbortSignal; deadlineMs: number } => ({
  signal: AbortSignal.timeout(DEADLINE_MS),
  deadlineMs: DEADLINE_MS,
});

export const micro: Image = {
  name: "micro" as ImageName,
  osFamily: "linux",
  disk: { url: "file:///micro.qcow2", digest: `sha256:${"d".repeat(64)}` as Digest, sizeBytes: 1 },
  diskFormat: "qcow2",
  boot: { kind: "disk" },
};

export type TestCluster = AsyncDisposable & {
  readonly store: MemoryStore;
  readonly coordinator: Coordinator;
  readonly client: GrpcClient;
  /** Of its API. */
  readonly address: string;
  readonly log: readonly string[];
};

export type TestCoordinator = AsyncDisposable & {
  readonly coordinator: Coordinator;
  readonly registry: Metrics["registry"];
  readonly metrics: CoordinatorMetrics;
  readonly log: Log;
  readonly lines: readonly string[];
};

/** A running coordinator; disposing of it ends it at once, as a kill does: nothing is said. */
export function startCoordinator(
  store: Pick<MemoryStore, "coordinator">,
  id: string,
  clock: Clock = systemClock,
): TestCoordinator {
  const end = new AbortController();
  const { log, lines, metrics, registry } = testTelemetry();
  const coordinator = new Coordinator({
    id,
    store: store.coordinator(id),
    clock,
    random: () => 0.5,
    log,
    metrics,
    lease: { leaseMs: 6_000, marginMs: 1_000 },
    overcommit: { vcpu: 1, memory: 1, disk: 1 },
    waveShare: 0.1,
    maxLostShare: 0.3,
  });
  const running = coordinator.run(end.signal);
  return {
    coordinator,
    registry,
    metrics,
    log,
    lines,
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

/** A log that is kept, and metrics. */
export function testTelemetry() {
  const lines: string[] = [];
  const log = createLog({
    program: "test",
    level: "info",
    format: "text",
    write: (line) => lines.push(line),
    now: systemClock.now,
  });
  const metrics = new Metrics();
  const { registry } = metrics;
  return { log, lines, metrics: createCoordinatorMetrics(metrics), registry };
}

export async function startCluster(): Promise<TestCluster> {
  const store = createMemoryStore();
  const running = startCoordinator(store, "c1");
  const { coordinator, metrics, log, lines } = running;
  const context = {
    id: "c1",
    version: "test",
    coordinator,
    store: store.coordinator("c1"),
    clock: systemClock,
    blastLimits: { maxShare: 0.25, minInstances: 10 },
  };
  const api = await serveApi({ context, address: "127.0.0.1:0", log, metrics });
  const address = `127.0.0.1:${api.port}`;
  const client = new GrpcClient({
    addresses: address,
    credentials: credentials.createInsecure(),
    random: () => 0,
  });
  return {
    store,
    coordinator,
    client,
    address,
    log: lines,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await running[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

/** Declares a fleet of containers, as the API would. */
export async function declare(store: MemoryStore, name: string, replicas: number): Promise<void> {
  const spec = fleetSpecCodec.fromWire(
    create(FleetSpecSchema, {
      name,
      replicas,
      template: {
        resources: { vcpuMillis: 100, memoryMib: 256, diskMib: 10 },
        kind: { case: "container", value: { source: { case: "image", value: "web:1" } } },
      },
    }),
  );
  const template = templateDigest(spec.template, undefined);
  const value: FleetRecord = {
    spec,
    image: undefined,
    template,
    state: "active",
    wishes: [],
    rollout: NO_ROLLOUT,
  };
  const operator = store.coordinator("operator");
  const expectedRevision = operator.control().fleets.get(spec.name)?.revision ?? 0;
  await operator.putFleets([{ value, expectedRevision }], soon().signal);
}

const host = (name: string): HostName => {
  if (isHostName(name)) return name;
  throw new Error(`bad host name ${name}`);
};

/** Of the one machine that bears the name. */
export function agentOf(name: HostName): AgentId {
  const id = `agent-${name}`;
  if (isAgentId(id)) return id;
  throw new Error(`bad agent id ${id}`);
}

/** In which phase a host reports what it is ordered to run. */
type PhaseOf = ObservedPhase | ((template: Template) => ObservedPhase);

/**
 * A host that at once reports whatever it is ordered to run as being in `phase`.
 *
 * @param inForce what it went by before
 */
export async function startHost(
  { store }: Pick<TestCluster, "store">,
  name: string,
  phase: PhaseOf = "ready",
  clock: Clock = systemClock,
  inForce?: Orders,
): Promise<AsyncDisposable> {
  const end = new AbortController();
  const { signal } = end;
  const link = store.host(host(name));
  const work = obey(link, phase, clock, inForce, signal);
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await work;
    },
  };
}

async function obey(
  link: HostStore,
  phase: PhaseOf,
  clock: Clock,
  inForce: Orders | undefined,
  signal: AbortSignal,
): Promise<void> {
  const wake = new Wake();
  let orders = inForce;
  link.watchOrders(() => wake.wake(), signal);
  link.serveVerb(
    "orders",
    async (_request, stream) => {
      if (orders !== undefined) await stream.send(ordersCodec.encode(orders));
    },
    signal,
  );
  let reported: Report | undefined;
  try {
    for (;;) {
      const incoming = await link.readOrders(signal);
      if (
        incoming !== undefined &&
        acceptOrders(agentOf(link.host), orders, incoming).kind === "accepted"
      ) {
        orders = incoming;
      }
      const report = reportOf(link.host, orders, phase);
      if (!isSame(report, reported)) {
        await link.putReport({ ...report, reportedAt: clock.now() }, signal);
      }
      reported = report;
      const { epoch, generation } = report;
      await link.heartbeat(
        { host: link.host, agent: agentOf(link.host), epoch, generation },
        signal,
      );
      await wake.wait(500, clock, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function reportOf(name: HostName, orders: Orders | undefined, phase: PhaseOf): Report {
  const templates = new Map(orders?.templates.map((t) => [t.digest, t.template]));
  const phaseOf = (template: Template | undefined): ObservedPhase =>
    typeof phase === "string" ? phase : template === undefined ? "failed" : phase(template);
  const instances = (orders?.instances ?? []).flatMap((ordered): Observed[] => {
    if (ordered.desired === "discard") return [];
    return [
      {
        name: ordered.name,
        fleet: ordered.fleet,
        index: ordered.index,
        incarnation: ordered.incarnation,
        kind: templates.get(ordered.template)?.kind ?? "vm",
        template: ordered.template,
        phase: ordered.desired === "run" ? phaseOf(templates.get(ordered.template)) : "stopped",
        since: 1,
        restarts: 0,
        reason: undefined,
        exit: undefined,
        address: undefined,
      },
    ];
  });
  return {
    host: name,
    agent: agentOf(name),
    reportedAt: 1,
    epoch: orders?.epoch ?? 0,
    generation: orders?.generation ?? 0,
    labels: {},
    capacity: { vcpuMillis: 4_000, memoryMib: 4_096, diskMib: 100_000 },
    drivers: [
      { kind: "vm", isUsable: true, detail: "test" },
      { kind: "container", isUsable: true, detail: "test" },
    ],
    pools: [{ name: "p", totalBytes: 2 ** 40, freeBytes: 2 ** 40, artifacts: [] }],
    instances,
  };
}
