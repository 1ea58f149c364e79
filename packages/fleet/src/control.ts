/** What coordinators and hosts tell each other beside orders and reports. */
import type { HostName } from "./ids.ts";

/** What operators set on a host. */
export type HostRecord = { readonly name: HostName; readonly admin: "active" | "draining" };

/** A host's sign of life, answered by the leader with a lease. */
export type Heartbeat = {
  readonly host: HostName;
  /** Of the orders it last applied. */
  readonly generation: number;
};

/** The leader's promise that nobody else is ordered to run this host's instances. */
export type LeaseGrant = {
  readonly epoch: number;
  /** Counted by the host's monotonic clock from when it sent the heartbeat. */
  readonly leaseMs: number;
};

/** The leader's sign of life to the other coordinators. */
export type Ping = { readonly epoch: number; readonly leader: string };
