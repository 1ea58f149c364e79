/**
 * The update of a fleet to its present template: where it stands, and how it is held, resumed and
 * undone. Each change gives the record to write; all but those at the failure threshold and at the
 * end are an operator's.
 */
import type { Digest, FleetName } from "./ids.ts";
import type { OrderedTemplate } from "./orders.ts";
import type { Phase } from "./phase.ts";
import type { FleetRecord, Snapshot } from "./snapshot.ts";

export type RolloutState =
  /** Every instance is of the present template, and was ready. */
  | { readonly kind: "done" }
  | { readonly kind: "going" }
  /** `paused` by an operator, `halted` at the failure threshold: nothing is replaced meanwhile. */
  | { readonly kind: "paused" | "halted"; readonly reason: string };

export type Rollout = {
  readonly state: RolloutState;
  /** What a rollback goes back to; absent where the fleet never had another template. */
  readonly previous: OrderedTemplate | undefined;
  /** Why the present template was gone back to; absent where it was applied. */
  readonly rolledBackBecause: string | undefined;
  /**
   * Sorted indexes of instances whose failure counts no more: it was known when the update began or
   * was resumed.
   */
  readonly knownFailures: readonly number[];
};

/** Of a fleet that has not changed its template since it was declared. */
export const NO_ROLLOUT: Rollout = {
  state: { kind: "done" },
  previous: undefined,
  rolledBackBecause: undefined,
  knownFailures: [],
};

/**
 * Extra instances of an update are numbered from here, above any that a fleet can declare: so that
 * scaling never makes one of the other.
 */
export const SURGE_INDEX = 100_000;

/** Agents restart at once, then ever later: as often as this is no accident. */
const CRASH_LOOP_RESTARTS = 3;

/**
 * What counts against a template, by observations alone: its agent has given the instance up, or
 * has restarted it again and again and does not find it ready.
 */
export const hasFailed = ({ phase, restarts }: Trials): boolean =>
  phase === "failed" || (restarts >= CRASH_LOOP_RESTARTS && phase !== "ready");

type Trials = { readonly phase: Phase; readonly restarts: number };

/** The template that the fleet declares now. */
export const presentTemplate = ({ spec, image, template }: FleetRecord): OrderedTemplate => ({
  digest: template,
  template: spec.template,
  image,
});

/** The record with `next` in place of its template, to be rolled out. */
export function updated(
  record: FleetRecord,
  next: OrderedTemplate,
  knownFailures: readonly number[],
): FleetRecord {
  const { rollout } = record;
  const present = presentTemplate(record);
  // What was halted is nothing to go back to, but what came before it may be.
  const isBad = rollout.state.kind === "halted" && rollout.previous?.digest !== next.digest;
  const previous = (isBad ? rollout.previous : undefined) ?? present;
  return {
    ...withTemplate(record, next),
    rollout: { state: { kind: "going" }, previous, rolledBackBecause: undefined, knownFailures },
  };
}

/** The record with its previous template again, to be rolled out; undefined where there is none. */
export function rolledBack(
  record: FleetRecord,
  reason: string,
  knownFailures: readonly number[],
): FleetRecord | undefined {
  const { previous } = record.rollout;
  if (previous === undefined) return undefined;
  return {
    ...withTemplate(record, previous),
    rollout: {
      state: { kind: "going" },
      previous: presentTemplate(record),
      rolledBackBecause: reason,
      knownFailures,
    },
  };
}

/** The same record with another state of its rollout. */
export const withRolloutState = (record: FleetRecord, state: RolloutState): FleetRecord => ({
  ...record,
  rollout: { ...record.rollout, state },
});

/** The record with its update going on, though these instances have failed. */
export const resumed = (record: FleetRecord, knownFailures: readonly number[]): FleetRecord => ({
  ...record,
  rollout: { ...record.rollout, state: { kind: "going" }, knownFailures },
});

/** Sorted indexes of the fleet's instances that run `template` and have failed. */
export function failuresOf(
  { hosts }: Snapshot,
  fleet: FleetName,
  template: Digest,
): readonly number[] {
  const failures = new Set<number>();
  for (const { liveness, report, orders } of hosts) {
    if (liveness !== "up") continue;
    const failed = report?.instances.filter(
      (one) => one.fleet === fleet && one.template === template && hasFailed(one),
    );
    for (const { name, incarnation, index } of failed ?? []) {
      const isOrdered = orders?.instances.some(
        (one) => one.name === name && one.incarnation === incarnation && one.desired === "run",
      );
      if (isOrdered === true) failures.add(index);
    }
  }
  return [...failures].sort((a, b) => a - b);
}

function withTemplate(
  { spec, ...record }: FleetRecord,
  { digest, template, image }: OrderedTemplate,
): FleetRecord {
  return { ...record, spec: { ...spec, template }, image, template: digest };
}
