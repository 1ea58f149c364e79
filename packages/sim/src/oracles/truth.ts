/** What oracles look at: the world as it truly is, and not as any program in it believes. */
import type { DriverInstance } from "@evm/drivers";
import type {
  ClusterExport,
  Digest,
  HostName,
  InstanceName,
  OrderedInstance,
  Orders,
  Resources,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type Truth = {
  readonly nowMs: number;
  /** What the store holds; while that is lost, what it held before. */
  readonly control: ControlState;
  /** What the store holds although the control state is lost; undefined where it is not. */
  readonly left: ControlState | undefined;
  readonly hosts: ReadonlyMap<HostName, HostTruth>;
  /** What each template ever declared takes. */
  readonly resources: ReadonlyMap<Digest, Resources>;
  /** Where each instance is, of which anything is ordered or exists. */
  readonly places: ReadonlyMap<InstanceName, Places>;
  /** Hosts whose orders are as a restore found them: what succeeded them may be in force, too. */
  readonly restored: ReadonlyMap<HostName, Orders>;
  readonly changes: Changes;
};

/** What may differ from the last look; everything, where it is a full one. */
export type Changes = {
  /** Whose orders were rewritten. */
  readonly orders: readonly Orders[];
  /** On which something changed: what exists, or what its agent goes by. */
  readonly hosts: readonly HostTruth[];
  /** Instances of which something changed, and those that run where they are not ordered to. */
  readonly names: ReadonlySet<InstanceName>;
  /** Whether a record of a fleet or a host was written. */
  readonly areRecords: boolean;
  /** Present where a restore was written. */
  readonly restore: Restore | undefined;
};

export type Restore = {
  /** Whether the control state was lost; else a host was taken in. */
  readonly isOfLoss: boolean;
  /** The export that it began with. */
  readonly kept: ClusterExport | undefined;
};

export type HostTruth = {
  readonly name: HostName;
  readonly capacity: Resources;
  /** Everything that exists on it, running or not. */
  readonly instances: readonly DriverInstance[];
  /** The orders that its agent last accepted, as on its disk. */
  readonly accepted: Orders | undefined;
  /** Until when it was promised that nobody else is ordered to run what it runs. */
  readonly leasedUntilMs: () => number;
  /** What keeps its agent from what it owes since a moment; empty where nothing does. */
  readonly excuses: (instance: DriverInstance, sinceMs: number) => readonly Excuse[];
};

/** Why an agent could not do what it owes, as ARCHITECTURE.md grants it. */
export type Excuse = "frozen" | "restarted" | "driver failed" | "driver lied";

/** Every incarnation of one instance: where it is ordered, and where it exists. */
export type Places = {
  readonly ordered: readonly { readonly host: HostName; readonly one: OrderedInstance }[];
  readonly existing: readonly { readonly host: HostName; readonly one: DriverInstance }[];
};

/** Watches one invariant; it may remember what it saw. Gives a sentence for each breach. */
export type Oracle = {
  readonly invariant: string;
  readonly look: (truth: Truth) => readonly string[];
};

type Named = { readonly name: InstanceName; readonly incarnation: number };

export const keyOf = ({ name, incarnation }: Named): string => `${name}.${incarnation}`;

export const isSameIncarnation = (a: Named, b: Named): boolean =>
  a.name === b.name && a.incarnation === b.incarnation;

/**
 * True where a restore took something in after another host's orders were written: what stands in
 * both is for the next plan to end. What may not run twice it takes in stopped.
 */
export function isTakenInAfter(
  { host, one }: Places["ordered"][number],
  other: HostName,
  { restored, control: { orders, fleets } }: Truth,
): boolean {
  const revisionOf = (name: HostName): number => orders.get(name)?.revision ?? 0;
  const mayRunTwice = fleets.get(one.fleet)?.value.spec.onIsolation === "keep";
  return mayRunTwice && restored.has(host) && revisionOf(other) < revisionOf(host);
}

/** What of one look at a host is not in another: what did not change is the same object. */
export function withoutSame(
  ones: readonly DriverInstance[],
  others: readonly DriverInstance[],
): readonly DriverInstance[] {
  if (ones === others) return [];
  const known = new Set(others);
  return ones.filter((one) => !known.has(one));
}

export const isUp = ({ state }: DriverInstance): boolean =>
  state === "running" || state === "ready";

/** True where a host goes by orders that the store does not know: a restore left it out. */
export const isEstranged = ({ name, accepted }: HostTruth, { control }: Truth): boolean =>
  (accepted?.generation ?? 0) > (control.orders.get(name)?.value.generation ?? 0);

/** True where an operator left a host out of a restore. */
export const isGivenUp = (name: HostName, truth: Truth): boolean => {
  const host = truth.hosts.get(name);
  return host !== undefined && isEstranged(host, truth);
};

export const NOWHERE: Places = { ordered: [], existing: [] };
