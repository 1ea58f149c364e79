/** Plain values for tests: everything has a default, tests name what they are about. */
import type { AgentId, Digest, FleetName, HostName, ImageName, InstanceName } from "../src/ids.ts";
import type { Image } from "../src/image.ts";
import type { OrderedInstance, Orders } from "../src/orders.ts";
import type { Observed, Report } from "../src/report.ts";
import { NO_ROLLOUT } from "../src/rollout.ts";
import type { FleetRecord, HostView, Snapshot } from "../src/snapshot.ts";
import type {
  ContainerTemplate,
  FleetSpec,
  Placement,
  RestartPolicy,
  UpdatePolicy,
  VmTemplate,
} from "../src/spec.ts";

export const fleetName = (text: string): FleetName => text as FleetName;
export const hostName = (text: string): HostName => text as HostName;
/** Of the machine that bears the name, where it is the only one. */
export const agentOf = (host: string): AgentId => `agent-${host}` as AgentId;
export const name = (text: string): InstanceName => text as InstanceName;
/** A digest that differs where `text` does; `text` is hexadecimal. */
export const digest = (text: string): Digest => `sha256:${text.padStart(64, "0")}` as Digest;

/** The first digest of a fleet's template: `a1` for `web`, others apart from it. */
const digestOf = (fleet: string): Digest =>
  digest(fleet === "web" ? "a1" : [...fleet].map((one) => one.charCodeAt(0).toString(16)).join(""));

export const MIB = 1024 * 1024;

export const anImage = (over: Partial<Image> = {}): Image => ({
  name: "debian12" as ImageName,
  osFamily: "linux",
  disk: { url: "https://images.example/debian12", digest: digest("d12"), sizeBytes: 400 * MIB },
  diskFormat: "qcow2",
  boot: { kind: "disk" },
  ...over,
});

export const aVm = (over: Partial<VmTemplate> = {}): VmTemplate => ({
  kind: "vm",
  resources: { vcpuMillis: 1000, memoryMib: 1024, diskMib: 10_240 },
  image: "debian12" as ImageName,
  userData: undefined,
  readiness: undefined,
  ...over,
});

export const aContainer = (over: Partial<ContainerTemplate> = {}): ContainerTemplate => ({
  kind: "container",
  resources: { vcpuMillis: 500, memoryMib: 256, diskMib: 0 },
  source: { kind: "image", reference: "web:1" },
  command: [],
  environment: {},
  ports: [],
  healthCheck: undefined,
  ...over,
});

export const aPlacement = (over: Partial<Placement> = {}): Placement => ({
  constraints: [],
  strategy: "spread",
  apartFrom: [],
  ...over,
});

export const aRestartPolicy = (over: Partial<RestartPolicy> = {}): RestartPolicy => ({
  mode: "always",
  maxRestarts: 3,
  windowMs: 60_000,
  backoffMs: 1000,
  maxBackoffMs: 3000,
  ...over,
});

export const anUpdatePolicy = (over: Partial<UpdatePolicy> = {}): UpdatePolicy => ({
  maxUnavailable: 1,
  maxSurge: 0,
  failureThreshold: 1,
  onFailure: "pause",
  ...over,
});

export const aSpec = (over: Partial<FleetSpec> = {}): FleetSpec => ({
  name: fleetName("web"),
  replicas: 1,
  labels: {},
  template: aContainer(),
  placement: aPlacement(),
  restart: aRestartPolicy(),
  update: anUpdatePolicy(),
  onHostLoss: "restart",
  onIsolation: "keep",
  ...over,
});

/** A fleet as the coordinator holds it; `spec` is laid over `aSpec`. */
export function aFleet(
  spec: Partial<FleetSpec> = {},
  over: Partial<Omit<FleetRecord, "spec">> = {},
): FleetRecord {
  const full = aSpec(spec);
  return {
    spec: full,
    image: full.template.kind === "vm" ? anImage() : undefined,
    template: digestOf(full.name),
    state: "active",
    wishes: [],
    rollout: NO_ROLLOUT,
    ...over,
  };
}

export const aReport = (over: Partial<Report> = {}): Report => ({
  host: hostName("h1"),
  agent: agentOf(over.host ?? "h1"),
  reportedAt: 0,
  epoch: 0,
  generation: 0,
  labels: {},
  capacity: { vcpuMillis: 8000, memoryMib: 8192, diskMib: 102_400 },
  drivers: [
    { kind: "vm", isUsable: true, detail: "kvm" },
    { kind: "container", isUsable: true, detail: "docker 20.10" },
  ],
  pools: [{ name: "p1", totalBytes: 1e12, freeBytes: 1e11, artifacts: [] }],
  instances: [],
  ...over,
});

/** A host that is up and active; its report is laid over `aReport`. */
export function aHost(
  text: string,
  report: Partial<Report> = {},
  over: Partial<HostView> = {},
): HostView {
  const host = hostName(text);
  const { epoch = 0, generation = 0 } = over.orders ?? {};
  return {
    name: host,
    admin: "active",
    liveness: "up",
    report: aReport({ host, epoch, generation, ...report }),
    heartbeat: undefined,
    orders: undefined,
    rival: undefined,
    successor: undefined,
    ...over,
  };
}

export const anEntry = (over: Partial<OrderedInstance> = {}): OrderedInstance => ({
  name: name(`${over.fleet ?? "web"}-${String(over.index ?? 0).padStart(4, "0")}`),
  fleet: fleetName("web"),
  index: 0,
  incarnation: 1,
  template: digest("a1"),
  desired: "run",
  ...over,
});

export const anObserved = (over: Partial<Observed> = {}): Observed => ({
  name: name(`${over.fleet ?? "web"}-${String(over.index ?? 0).padStart(4, "0")}`),
  fleet: fleetName("web"),
  index: 0,
  incarnation: 1,
  kind: "container",
  template: digest("a1"),
  phase: "ready",
  since: 0,
  restarts: 0,
  reason: undefined,
  exit: undefined,
  address: undefined,
  ...over,
});

/** Orders of generation 1 that name the fleet's template and policies. */
export function someOrders(
  host: string,
  instances: readonly OrderedInstance[],
  over: Partial<Orders> = {},
  fleet: FleetRecord = aFleet(),
): Orders {
  const { spec, image, template } = fleet;
  return {
    host: hostName(host),
    agent: agentOf(host),
    epoch: 1,
    generation: 1,
    templates: [{ digest: template, template: spec.template, image }],
    fleets: [{ name: spec.name, restart: spec.restart, onIsolation: spec.onIsolation }],
    instances,
    ...over,
  };
}

export const aSnapshot = (
  fleets: readonly FleetRecord[],
  hosts: readonly HostView[],
  over: Partial<Snapshot> = {},
): Snapshot => ({
  epoch: 1,
  epochBase: 0,
  overcommit: { vcpu: 1, memory: 1, disk: 1 },
  waveShare: 0.1,
  brake: undefined,
  fleets,
  hosts,
  ...over,
});
