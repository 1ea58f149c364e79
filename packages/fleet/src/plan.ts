/** The outcome of one pass of the planner. Making it changes nothing; only committing it does. */
import type { FleetName, HostName, InstanceName } from "./ids.ts";
import type { Orders } from "./orders.ts";
import type { FleetRecord } from "./snapshot.ts";

/** One change, for people and for events; the orders carry the meaning. */
export type Action = {
  readonly kind:
    | "create"
    | "replace"
    | "move"
    | "restart"
    | "resume"
    | "stop"
    | "discard"
    | "forget";
  readonly instance: InstanceName;
  readonly fleet: FleetName;
  readonly incarnation: number;
  /** Where it happens; for `move` the new host. */
  readonly host: HostName;
  /** For `move` and `replace`: where it was. */
  readonly from: HostName | undefined;
  readonly reason: string;
};

/** How many hosts one rule turned away, and what would change its mind. */
export type Refusal = {
  readonly rule: string;
  readonly hosts: number;
  /** "needs 4096 MiB of memory; the most that is free is 1024 MiB on h2" */
  readonly text: string;
};

/** An instance that has no host, or may not proceed, and why (I8). Never without a reason. */
export type Waiting = {
  readonly instance: InstanceName;
  readonly fleet: FleetName;
  readonly reason: string;
  /** Empty where the wait is not for a host: for a lost host, an update's turn, an old disk. */
  readonly refusals: readonly Refusal[];
};

/** Something an operator should know that is not about one instance. */
export type Note = { readonly severity: "info" | "warning"; readonly text: string };

export type Plan = {
  /** The documents to rewrite, complete, with this epoch and the next generation. */
  readonly orders: readonly Orders[];
  readonly actions: readonly Action[];
  readonly waiting: readonly Waiting[];
  readonly notes: readonly Note[];
  /**
   * Records to rewrite, complete: their updates are done, halted, or undone. With the orders they
   * are all that a plan changes.
   */
  readonly fleets: readonly FleetRecord[];
  /** Deleting fleets of which nothing is left anywhere: their records can go. */
  readonly forgottenFleets: readonly FleetName[];
  /**
   * Fleets whose instances this plan watches: which are ready, and how they fare. Of what all
   * others have and are ordered to run it matters only whether it has failed.
   */
  readonly watched: ReadonlySet<FleetName>;
};

/** A rule that a plan breaks; found by `check`, which shares no code with the planner. */
export type Violation = {
  readonly invariant: "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I8";
  readonly text: string;
};
