/** What a host observes of itself: a hint to coordinators, for the truth is what it runs. */
import type { AgentId, Digest, FleetName, HostName, InstanceName } from "./ids.ts";
import type { ObservedPhase } from "./phase.ts";
import type { Labels, Resources, TemplateKind } from "./spec.ts";

/** Milliseconds since 1970, by the clock of whoever wrote it. */
export type Instant = number;

/** One incarnation that exists on the host, running or not. */
export type Observed = {
  readonly name: InstanceName;
  readonly fleet: FleetName;
  readonly index: number;
  readonly incarnation: number;
  readonly kind: TemplateKind;
  readonly template: Digest;
  readonly phase: ObservedPhase;
  /** Since when it is in this phase. */
  readonly since: Instant;
  /** How often the agent restarted this incarnation. */
  readonly restarts: number;
  /** Why it is in this phase, in words; present for `failed`, waits and errors. */
  readonly reason: string | undefined;
  /**
   * How a `stopped` or `failed` one ended: 0 or a guest's own power-off is a success. `failure` on
   * one that is `running`: it is unhealthy, and about to be stopped.
   */
  readonly exit: "success" | "failure" | undefined;
  /** First address of the instance, where the driver knows it. */
  readonly address: string | undefined;
};

/** Whether a driver can run instances here, and if not, why not. */
export type DriverStatus = {
  readonly kind: TemplateKind;
  readonly isUsable: boolean;
  /** What a usable driver runs on ("kvm", "qemu emulation", "docker 20.10.24"); else the reason. */
  readonly detail: string;
};

export type PoolStatus = {
  readonly name: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Digests of the verified artifacts cached here. */
  readonly artifacts: readonly Digest[];
};

export type Report = {
  readonly host: HostName;
  /** Whose report it is, where more than one machine bears the host's name. */
  readonly agent: AgentId;
  readonly reportedAt: Instant;
  /** Of the orders that the agent last applied; 0 before the first. */
  readonly epoch: number;
  readonly generation: number;
  readonly labels: Labels;
  /** What the host offers to instances, the agent's own reserve already taken off. */
  readonly capacity: Resources;
  readonly drivers: readonly DriverStatus[];
  readonly pools: readonly PoolStatus[];
  /** Everything of EVM's that exists on the host, sorted by name, then incarnation. */
  readonly instances: readonly Observed[];
};
