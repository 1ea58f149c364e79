/** What coordinators and hosts tell each other beside orders and reports. */
import type { AgentId, HostName } from "./ids.ts";
import type { Instant } from "./report.ts";

/**
 * `cordoned`: nothing new is placed there, not even what follows an instance of its own; what runs
 * stays. `draining`: what runs there is moved away as well.
 */
export type HostAdmin = "active" | "cordoned" | "draining";

/** What operators set on a host. */
export type HostRecord = {
  readonly name: HostName;
  readonly admin: HostAdmin;
  /**
   * `reportedAt` of its last report (0: it has none) when an operator confirmed that it is lost.
   * It holds while that is still the last one, so a host that is back voids it by itself.
   */
  readonly confirmedLost: Instant | undefined;
};

/** Which orders a host has applied last; zeros before the first. */
export type Applied = { readonly epoch: number; readonly generation: number };

/** What one of the machines that may bear a host's name has applied. */
export type AppliedBy = Applied & { readonly agent: AgentId };

/** A host's sign of life, answered by the leader with a lease. */
export type Heartbeat = AppliedBy & { readonly host: HostName };

/** The leader's promise that nobody else is ordered to run this host's instances. */
export type LeaseGrant = {
  readonly epoch: number;
  /** Counted by the host's monotonic clock from when it sent the heartbeat. */
  readonly leaseMs: number;
};

/** The leader's sign of life to the other coordinators. */
export type Ping = { readonly epoch: number; readonly leader: string };
