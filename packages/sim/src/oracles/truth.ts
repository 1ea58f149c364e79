/** What oracles look at: the world as it truly is, and not as any program in it believes. */
import type { DriverInstance } from "@evm/drivers";
import type { Digest, HostName, InstanceName, Orders, Resources } from "@evm/fleet";
import type { ControlState } from "@evm/store";

export type Truth = {
  readonly nowMs: number;
  /** What the store holds. */
  readonly control: ControlState;
  readonly hosts: readonly HostTruth[];
  /** What each template ever declared takes. */
  readonly resources: ReadonlyMap<Digest, Resources>;
};

export type HostTruth = {
  readonly name: HostName;
  readonly capacity: Resources;
  /** Everything that exists on it, running or not. */
  readonly instances: readonly DriverInstance[];
  /** The orders that its agent last accepted, as on its disk. */
  readonly accepted: Orders | undefined;
  /** Until when it was promised that nobody else is ordered to run what it runs. */
  readonly leasedUntilMs: number;
};

/** Watches one invariant; it may remember what it saw. Gives a sentence for each breach. */
export type Oracle = {
  readonly invariant: string;
  readonly look: (truth: Truth) => readonly string[];
};

type Named = { readonly name: InstanceName; readonly incarnation: number };

export const keyOf = ({ name, incarnation }: Named): string => `${name}.${incarnation}`;

export const isUp = ({ state }: DriverInstance): boolean =>
  state === "running" || state === "ready";
