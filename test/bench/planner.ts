/**
 * How fast the planner decides, on one core: placements per second, and how long one pass over a
 * whole cluster takes. Run by `node test/bench/planner.ts [--json]`; the input is the same each
 * time. A pass is `reconcile` and `check`, as the coordinator runs them.
 */
import {
  Cluster,
  check,
  type Digest,
  type FleetName,
  type FleetRecord,
  type HostName,
  type HostView,
  isAgentId,
  isDigest,
  isFleetName,
  isHostName,
  isImageName,
  NO_ROLLOUT,
  type Observed,
  type Orders,
  type PlaceRequest,
  type Plan,
  place,
  type Resources,
  reconcile,
  type Snapshot,
} from "../../packages/fleet/src/index.ts";

type Shape = "identical" | "different";
type Row = {
  readonly what: string;
  readonly instances: number;
  readonly hosts: number;
  readonly shape: Shape;
  readonly ms: number;
  readonly perSecond: number | undefined;
};

/** The best of so many runs: what else the machine does only adds time. */
const RUNS = 3;

function main(): void {
  const rows: Row[] = [];
  for (const shape of ["identical", "different"] as const) {
    for (const strategy of ["spread", "pack"] as const) {
      rows.push(placements(shape, strategy, 20_000, 1_000));
    }
  }
  for (const [instances, hosts] of [
    [1_000, 50],
    [10_000, 500],
    [100_000, 5_000],
  ] as const) {
    for (const shape of ["identical", "different"] as const) {
      rows.push(...passes(shape, instances, hosts));
    }
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify(rows, undefined, 2));
  else print(rows);
}

/** `place` and `claim` alone: requests of one fleet, or each of a fleet of its own. */
function placements(
  shape: Shape,
  strategy: "spread" | "pack",
  instances: number,
  hosts: number,
): Row {
  const requests = fleets(shape, instances, strategy).flatMap(requestsOf);
  const ms = best(() => {
    const cluster = new Cluster(hostViews(hosts), OVERCOMMIT);
    return () => {
      for (const request of requests) {
        const result = place(cluster, request);
        if (result.kind === "wait") throw new Error("the bench is to fit");
        cluster.claim(result.host, request, "all");
      }
    };
  });
  const perSecond = (instances / ms) * 1000;
  return { what: `place, ${strategy}`, instances, hosts, shape, ms, perSecond };
}

/** The first pass of an empty cluster, a pass in which nothing changes, one with a lost host. */
function passes(shape: Shape, instances: number, hosts: number): readonly Row[] {
  const declared = fleets(shape, instances, "spread");
  const empty = snapshotOf(declared, hostViews(hosts));
  const steady = snapshotOf(declared, reported(empty, reconcile(empty)));
  const lost = snapshotOf(
    declared,
    steady.hosts.map((host, at) => (at === 0 ? { ...host, liveness: "lost" } : host)),
  );
  const full = snapshotOf(declared, hostViews(hosts, 0));
  const row = (what: string, snapshot: Snapshot, placed: number | undefined): readonly Row[] => {
    const plan = reconcile(snapshot);
    if (plan.waiting.length > 0 && snapshot !== full)
      throw new Error(`${what}: the bench is to fit`);
    const violations = check(snapshot, plan);
    if (violations.length > 0) throw new Error(`${what}: ${violations[0]?.text}`);
    const ms = best(() => () => reconcile(snapshot));
    const perSecond = placed === undefined ? undefined : (placed / ms) * 1000;
    const checkMs = best(() => () => check(snapshot, plan));
    return [
      { what, instances, hosts, shape, ms, perSecond },
      { what: `check of ${what}`, instances, hosts, shape, ms: checkMs, perSecond: undefined },
    ];
  };
  return [
    ...row("first pass", empty, instances),
    ...row("no change", steady, undefined),
    ...row("lost host", lost, undefined),
    ...row("nothing fits", full, undefined),
  ];
}

/** The least time, in milliseconds, that what `prepare` returns takes. */
function best(prepare: () => () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const work = prepare();
    const startedAt = performance.now();
    work();
    least = Math.min(least, performance.now() - startedAt);
  }
  return least;
}

const OVERCOMMIT = { vcpu: 2, memory: 1, disk: 1 };

function snapshotOf(declared: readonly FleetRecord[], hosts: readonly HostView[]): Snapshot {
  const settings = {
    epoch: 1,
    epochBase: 0,
    overcommit: OVERCOMMIT,
    waveShare: 0.1,
    brake: undefined,
  };
  return { ...settings, fleets: declared, hosts };
}

/** One fleet of so many replicas, or so many fleets of one, each with other needs. */
function fleets(
  shape: Shape,
  instances: number,
  strategy: "spread" | "pack",
): readonly FleetRecord[] {
  const random = generator(7);
  const count = shape === "identical" ? 1 : instances;
  return Array.from({ length: count }, (_, at) => {
    const name = parsed(`f-${String(at).padStart(6, "0")}`, isFleetName);
    const resources =
      shape === "identical"
        ? { vcpuMillis: 1000, memoryMib: 2048, diskMib: 8192 }
        : {
            vcpuMillis: 500 + Math.floor(random() * 1000),
            memoryMib: 512 + Math.floor(random() * 3072),
            diskMib: 1024 + Math.floor(random() * 14_000),
          };
    return fleet(name, at, instances / count, resources, strategy);
  });
}

function fleet(
  name: FleetName,
  at: number,
  replicas: number,
  resources: Resources,
  strategy: "spread" | "pack",
): FleetRecord {
  const image = parsed("debian12", isImageName);
  return {
    spec: {
      name,
      replicas,
      labels: {},
      template: { kind: "vm", resources, image, userData: undefined, readiness: undefined },
      placement: {
        constraints: [{ label: "zone", operator: "in", values: ["a", "b"] }],
        strategy,
        apartFrom: [parsed("other", isFleetName)],
      },
      restart: {
        mode: "always",
        maxRestarts: 3,
        windowMs: 60_000,
        backoffMs: 1000,
        maxBackoffMs: 10_000,
      },
      update: { maxUnavailable: 1, maxSurge: 0, failureThreshold: 1, onFailure: "pause" },
      onHostLoss: "restart",
      onIsolation: "keep",
    },
    image: {
      name: image,
      osFamily: "linux",
      disk: { url: "https://images.example/debian12", digest: digest(1), sizeBytes: 4e8 },
      diskFormat: "qcow2",
      boot: { kind: "disk" },
    },
    template: digest(1000 + at),
    state: "active",
    wishes: [],
    rollout: NO_ROLLOUT,
  };
}

function requestsOf({ spec, image }: FleetRecord): readonly PlaceRequest[] {
  const request: PlaceRequest = {
    fleet: spec.name,
    entries: 1,
    isResumed: false,
    kind: spec.template.kind,
    image,
    resources: spec.template.resources,
    hostPorts: [],
    placement: spec.placement,
    apartFrom: new Set(spec.placement.apartFrom),
  };
  return Array.from({ length: spec.replicas }, () => request);
}

/** Hosts for about 20 instances each, with a fifth to spare; every third has the image already. */
function hostViews(count: number, memoryMib = 65_536): readonly HostView[] {
  return Array.from({ length: count }, (_, at) => {
    const name = parsed(`h-${String(at).padStart(5, "0")}`, isHostName);
    return {
      name,
      admin: "active",
      liveness: "up",
      heartbeat: undefined,
      orders: undefined,
      rival: undefined,
      successor: undefined,
      report: {
        host: name,
        agent: parsed(`agent-${at}`, isAgentId),
        reportedAt: 0,
        epoch: 0,
        generation: 0,
        labels: { zone: at % 2 === 0 ? "a" : "b" },
        capacity: { vcpuMillis: 16_000, memoryMib, diskMib: 262_144 },
        drivers: [{ kind: "vm", isUsable: true, detail: "kvm" }],
        pools: [
          {
            name: "p1",
            totalBytes: 1e12,
            freeBytes: 5e11,
            artifacts: at % 3 === 0 ? [digest(1)] : [],
          },
        ],
        instances: [],
      },
    };
  });
}

/** The hosts once they have applied a plan and everything on them is ready. */
function reported(snapshot: Snapshot, plan: Plan): readonly HostView[] {
  const orders = new Map<HostName, Orders>(plan.orders.map((one) => [one.host, one]));
  return snapshot.hosts.map((host) => {
    const applied = orders.get(host.name);
    if (applied === undefined || host.report === undefined) return host;
    const instances = applied.instances.map(
      ({ name, fleet: fleetName, index, incarnation, template }): Observed => ({
        name,
        fleet: fleetName,
        index,
        incarnation,
        template,
        kind: "vm",
        phase: "ready",
        since: 0,
        restarts: 0,
        reason: undefined,
        exit: undefined,
        address: undefined,
      }),
    );
    const { epoch, generation } = applied;
    return { ...host, orders: applied, report: { ...host.report, epoch, generation, instances } };
  });
}

function parsed<Text extends string>(text: string, is: (text: string) => text is Text): Text {
  if (!is(text)) throw new RangeError(`the bench's own name ${text} is malformed`);
  return text;
}

const digest = (value: number): Digest =>
  parsed(`sha256:${value.toString(16).padStart(64, "0")}`, isDigest);

/** A small generator of equal sequences for equal seeds (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function print(rows: readonly Row[]): void {
  const cells = [
    ["what", "instances", "hosts", "shape", "ms", "placements/s"],
    ...rows.map(({ what, instances, hosts, shape, ms, perSecond }) => [
      what,
      String(instances),
      String(hosts),
      shape,
      ms.toFixed(1),
      perSecond === undefined ? "" : String(Math.round(perSecond)),
    ]),
  ];
  const widths = (cells[0] ?? []).map((_, at) =>
    Math.max(...cells.map((row) => row[at]?.length ?? 0)),
  );
  for (const row of cells) {
    console.log(
      row
        .map((cell, at) =>
          at === 0 || at === 3 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
        )
        .join("  "),
    );
  }
}

main();
