/** A coordinator with its API on a memory store, and hosts that say what tests make them say. */

import {
  type Digest,
  type HostName,
  type Image,
  type ImageName,
  isHostName,
  isSame,
  type Observed,
  type ObservedPhase,
  type Orders,
  type Report,
} from "@evm/fleet";
import { GrpcClient } from "@evm/protocol";
import { createMemoryStore, type HostStore, type MemoryStore } from "@evm/store";
import { createLog, Metrics, systemClock, Wake } from "@evm/telemetry";
import { credentials } from "@grpc/grpc-js";
import { serveApi } from "../src/api/serve.ts";
import { Coordinator } from "../src/coordinator.ts";
import { createCoordinatorMetrics } from "../src/metrics.ts";

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

export async function startCluster(): Promise<TestCluster> {
  const store = createMemoryStore();
  const end = new AbortController();
  const lines: string[] = [];
  const log = createLog({
    program: "test",
    level: "info",
    format: "text",
    write: (line) => lines.push(line),
    now: systemClock.now,
  });
  const metrics = createCoordinatorMetrics(new Metrics());
  const coordinator = new Coordinator({
    id: "c1",
    store: store.coordinator("c1"),
    clock: systemClock,
    random: () => 0.5,
    log,
    metrics,
    lease: { leaseMs: 6_000, marginMs: 1_000 },
    overcommit: { vcpu: 1, memory: 1, disk: 1 },
  });
  const running = coordinator.run(end.signal);
  const context = {
    id: "c1",
    version: "test",
    coordinator,
    store: store.coordinator("c1"),
    clock: systemClock,
  };
  const api = await serveApi({ context, address: "127.0.0.1:0", log, metrics });
  const address = `127.0.0.1:${api.port}`;
  const client = new GrpcClient(address, credentials.createInsecure());
  return {
    store,
    coordinator,
    client,
    address,
    log: lines,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      end.abort();
      await running;
      await api[Symbol.asyncDispose]();
    },
  };
}

const host = (name: string): HostName => {
  if (isHostName(name)) return name;
  throw new Error(`bad host name ${name}`);
};

/** A host that at once reports whatever it is ordered to run as being in `phase`. */
export async function startHost(
  { store }: Pick<TestCluster, "store">,
  name: string,
  phase: ObservedPhase = "ready",
): Promise<AsyncDisposable> {
  const end = new AbortController();
  const { signal } = end;
  const link = store.host(host(name));
  const work = obey(link, phase, signal);
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await work;
    },
  };
}

async function obey(link: HostStore, phase: ObservedPhase, signal: AbortSignal): Promise<void> {
  const wake = new Wake();
  link.watchOrders(() => wake.wake(), signal);
  let reported: Report | undefined;
  try {
    for (;;) {
      const orders = await link.readOrders(signal);
      const report = reportOf(link.host, orders, phase);
      if (!isSame(report, reported)) await link.putReport(report, signal);
      reported = report;
      await link.heartbeat({ host: link.host, generation: report.generation }, signal);
      await wake.wait(500, systemClock, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function reportOf(name: HostName, orders: Orders | undefined, phase: ObservedPhase): Report {
  const kinds = new Map(orders?.templates.map((t) => [t.digest, t.template.kind]));
  const instances = (orders?.instances ?? []).flatMap((ordered): Observed[] => {
    if (ordered.desired === "discard") return [];
    return [
      {
        name: ordered.name,
        fleet: ordered.fleet,
        index: ordered.index,
        incarnation: ordered.incarnation,
        kind: kinds.get(ordered.template) ?? "vm",
        template: ordered.template,
        phase: ordered.desired === "run" ? phase : "stopped",
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
