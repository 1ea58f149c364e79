/** A host as placement sees it: what it offers, and how much of that is promised. */
import type { Digest, FleetName, HostName } from "./ids.ts";
import type { DriverStatus } from "./report.ts";
import type { HostView, Overcommit } from "./snapshot.ts";
import type { Labels, PortMapping, Resources, Template, TemplateKind } from "./spec.ts";

/** What an incarnation takes of its host. A stopped one takes its disk only. */
export type Claim = {
  readonly fleet: FleetName;
  readonly resources: Resources;
  readonly hostPorts: readonly string[];
};

/** What one of several takes at the most, where only one of them can be there at a time. */
export function largest([first, ...others]: readonly [Claim, ...Claim[]]): Claim {
  return others.reduce(
    (a, b) => ({
      fleet: a.fleet,
      resources: {
        vcpuMillis: Math.max(a.resources.vcpuMillis, b.resources.vcpuMillis),
        memoryMib: Math.max(a.resources.memoryMib, b.resources.memoryMib),
        diskMib: Math.max(a.resources.diskMib, b.resources.diskMib),
      },
      hostPorts: [...new Set([...a.hostPorts, ...b.hostPorts])],
    }),
    first,
  );
}

const NOTHING: Resources = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };

/** The host ports that a template asks for, as `80/tcp`. */
export function hostPortsOf(template: Template): readonly string[] {
  if (template.kind !== "container") return [];
  return template.ports.flatMap((port) => hostPort(port));
}

const hostPort = ({ hostPort: number, protocol }: PortMapping): readonly string[] =>
  number === undefined ? [] : [`${number}/${protocol}`];

/**
 * Limits are fixed, promises change as a plan is made: rules and scores only read them. Sums are
 * of whole numbers, so what is claimed and released leaves no trace.
 */
export class HostLoad {
  readonly name: HostName;
  readonly isOpen: boolean;
  /** True where what has its disk here may run here again, though nothing new may come. */
  readonly isCordoned: boolean;
  /** Why nothing new may come here, where `isOpen` is false. */
  readonly closedBecause: string | undefined;
  readonly labels: Labels;
  readonly drivers: ReadonlyMap<TemplateKind, DriverStatus>;
  /** Capacity times overcommit (I3). */
  readonly limit: Resources;
  /** Digests of the artifacts that are cached here. */
  readonly artifacts: ReadonlySet<Digest>;
  /** In the pool that has most. */
  readonly freeBytes: number;
  vcpuMillis = 0;
  memoryMib = 0;
  diskMib = 0;
  /** Entries in its orders, running or not. */
  entries = 0;
  readonly #fleets = new Map<FleetName, number>();
  readonly #hostPorts = new Map<string, number>();

  /** @param isEstranged see `recall` */
  constructor(view: HostView, overcommit: Overcommit, isEstranged = false) {
    const { report } = view;
    const capacity = report?.capacity ?? NOTHING;
    this.name = view.name;
    this.closedBecause = closedBecause(view, isEstranged);
    this.isOpen = this.closedBecause === undefined;
    this.isCordoned = this.closedBecause === "cordoned";
    this.labels = report?.labels ?? {};
    this.drivers = new Map(report?.drivers.map((driver) => [driver.kind, driver]));
    this.limit = {
      vcpuMillis: capacity.vcpuMillis * overcommit.vcpu,
      memoryMib: capacity.memoryMib * overcommit.memory,
      diskMib: capacity.diskMib * overcommit.disk,
    };
    this.artifacts = new Set(report?.pools.flatMap((pool) => pool.artifacts));
    this.freeBytes = Math.max(0, ...(report?.pools.map((pool) => pool.freeBytes) ?? []));
  }

  /** True where an instance of `fleet` runs here or is about to. */
  hasFleet(fleet: FleetName): boolean {
    return this.#fleets.has(fleet);
  }

  hasHostPort(port: string): boolean {
    return this.#hostPorts.has(port);
  }

  claimDisk({ resources }: Claim): void {
    this.diskMib += resources.diskMib;
  }

  releaseDisk({ resources }: Claim): void {
    this.diskMib -= resources.diskMib;
  }

  /** Everything that running takes; the disk is apart, for it outlasts the run. */
  claimRun({ fleet, resources, hostPorts }: Claim): void {
    this.vcpuMillis += resources.vcpuMillis;
    this.memoryMib += resources.memoryMib;
    count(this.#fleets, fleet, 1);
    for (const port of hostPorts) count(this.#hostPorts, port, 1);
  }

  releaseRun({ fleet, resources, hostPorts }: Claim): void {
    this.vcpuMillis -= resources.vcpuMillis;
    this.memoryMib -= resources.memoryMib;
    count(this.#fleets, fleet, -1);
    for (const port of hostPorts) count(this.#hostPorts, port, -1);
  }

  /** Mean share of what is promised, over the three resources: 0 is empty, 1 is full. */
  get load(): number {
    const { vcpuMillis, memoryMib, diskMib } = this.limit;
    return (
      (share(this.vcpuMillis, vcpuMillis) +
        share(this.memoryMib, memoryMib) +
        share(this.diskMib, diskMib)) /
      3
    );
  }
}

const share = (promised: number, limit: number): number => (limit > 0 ? promised / limit : 0);

function count<Key>(counts: Map<Key, number>, key: Key, change: number): void {
  const next = (counts.get(key) ?? 0) + change;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

function closedBecause(
  { liveness, admin, report }: HostView,
  isEstranged: boolean,
): string | undefined {
  if (liveness === "lost") return "lost";
  if (liveness === "unknown") return "not heard of yet";
  if (isEstranged) return "estranged";
  if (liveness === "silent") return "silent, and too many others are";
  if (admin === "draining") return "draining";
  if (report === undefined) return "without a report";
  return admin === "cordoned" ? "cordoned" : undefined;
}
