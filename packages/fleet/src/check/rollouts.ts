import type { FleetName, InstanceName } from "../ids.ts";
import type { OrderedInstance } from "../orders.ts";
import type { Plan, Violation } from "../plan.ts";
import type { Observed } from "../report.ts";
import { isSame } from "../same.ts";
import type { FleetRecord, Snapshot } from "../snapshot.ts";
import { entryKey, type HostChange } from "./after.ts";

/** An agent has restarted it so often that it is no accident. */
const RESTARTS_OF_A_FAILURE = 3;

/**
 * I6: of what operators declared a plan changes nothing, but for an update that goes on: it is done
 * once every instance is ready and new; and where so many have failed as its policy bears, it is
 * halted, or undone by exactly the template that was there before.
 */
export function checkRollouts(
  snapshot: Snapshot,
  plan: Plan,
  changes: readonly HostChange[],
): readonly Violation[] {
  const written = new Set(plan.fleets.map(({ spec }) => spec.name));
  if (written.size === 0) return [];
  const touched = snapshot.fleets.filter((fleet) => written.has(fleet.spec.name));
  const standingOf = standings(touched, changes);
  const declared = new Map(snapshot.fleets.map((fleet) => [fleet.spec.name, fleet]));
  const violations: Violation[] = [];
  for (const after of plan.fleets) {
    const { name } = after.spec;
    const before = declared.get(name);
    const standing = standingOf.get(name);
    declared.delete(name);
    if (before?.state !== "active" || standing === undefined) {
      violations.push(i6(`fleet ${name} would be written twice, or though it is not declared`));
    } else if (before.rollout.state.kind !== "going") {
      violations.push(i6(`fleet ${name} would be changed, though no update of it is going on`));
    } else {
      const objection = objectionTo(before, after, standing);
      if (objection !== undefined) violations.push(i6(`fleet ${name} ${objection}`));
    }
  }
  return violations;
}

function objectionTo(
  before: FleetRecord,
  after: FleetRecord,
  standing: Standing,
): string | undefined {
  const { state } = after.rollout;
  const isUntouched = isSame({ ...before, rollout: { ...before.rollout, state } }, after);
  if (state.kind === "done" && isUntouched) {
    return isSettled(before, standing) ? undefined : "would be called done, and is not";
  }
  const isHalt = state.kind === "halted" && isUntouched;
  if (!isHalt && !isReturn(before, after)) return "would be declared other than it is";
  const failed = standing.failed.size;
  if (failed >= before.spec.update.failureThreshold) return undefined;
  return `would be stopped for ${failed} failures`;
}

/** True where nothing changes but the template, back to the one before. */
function isReturn(before: FleetRecord, after: FleetRecord): boolean {
  const { previous, rolledBackBecause } = before.rollout;
  const { rollout } = after;
  return (
    before.spec.update.onFailure === "rollback" &&
    rolledBackBecause === undefined &&
    previous !== undefined &&
    (rollout.rolledBackBecause ?? "") !== "" &&
    rollout.state.kind === "going" &&
    rollout.previous?.digest === before.template &&
    isSame(rollout.previous.template, before.spec.template) &&
    isSame(rollout.previous.image, before.image) &&
    isSame(
      { ...after, rollout: undefined },
      {
        ...before,
        rollout: undefined,
        spec: { ...before.spec, template: previous.template },
        image: previous.image,
        template: previous.digest,
      },
    )
  );
}

/** How the instances of a fleet stand, of the template that it declares. */
export type Standing = {
  /** Names of those that shall run and are ready. */
  readonly ready: Set<InstanceName>;
  /** Names of those that count against the template. */
  readonly failed: Set<InstanceName>;
};

/** By fleet, in one look at what is reported of all that is ordered to run, or is adopted. */
export function standings(
  fleets: readonly FleetRecord[],
  changes: readonly HostChange[],
): ReadonlyMap<FleetName, Standing> {
  const looks = new Map(fleets.map((fleet) => [fleet.spec.name, lookAt(fleet)]));
  for (const { view, before, after } of changes) {
    if (view.liveness !== "up") continue;
    const reported = new Map(view.report?.instances.map((one) => [entryKey(one), one]));
    for (const one of [...(before?.instances ?? []), ...(after?.instances ?? [])]) {
      const seen = one.desired === "run" ? reported.get(entryKey(one)) : undefined;
      if (seen !== undefined) looks.get(one.fleet)?.add(one, seen);
    }
  }
  return new Map([...looks].map(([name, { standing }]) => [name, standing]));
}

function lookAt({ spec, template, wishes, rollout }: FleetRecord) {
  const standing: Standing = { ready: new Set(), failed: new Set() };
  const resting = new Set(wishes.filter((wish) => wish.isStopped).map((wish) => wish.index));
  const known = new Set(rollout.knownFailures);
  const add = (one: OrderedInstance, { phase, restarts }: Observed): void => {
    const { name, index } = one;
    if (one.template !== template) return;
    const isWanted = index < spec.replicas && !resting.has(index);
    if (isWanted && phase === "ready") standing.ready.add(name);
    const isLooping = restarts >= RESTARTS_OF_A_FAILURE && phase !== "ready";
    if ((phase === "failed" || isLooping) && !known.has(index)) standing.failed.add(name);
  };
  return { standing, add };
}

/** True where every instance that shall run is ready, of the template that is declared. */
export function isSettled({ spec, wishes }: FleetRecord, { ready }: Standing): boolean {
  const resting = wishes.filter((wish) => wish.isStopped).length;
  return ready.size >= spec.replicas - resting;
}

const i6 = (text: string): Violation => ({ invariant: "I6", text });
