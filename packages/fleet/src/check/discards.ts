import type { OrderedInstance } from "../orders.ts";
import type { Violation } from "../plan.ts";
import type { FleetRecord, Snapshot } from "../snapshot.ts";
import { entryKey, type HostChange } from "./after.ts";
import { isSettled, type Standing, standings } from "./rollouts.ts";

/** Extra instances of an update are numbered from here. */
const FIRST_EXTRA = 100_000;

/**
 * I4: a new `discard` follows from something an operator declared, and an entry leaves the orders
 * only where it was a discard and its host, under these very orders, lists it no more. Declared is
 *  - that a fleet is deleted or scaled down;
 *  - that an update has extra instances only until all others are ready and new, and none where it
 *    is held;
 *  - the end of an incarnation, by a changed template, a restart or a drain: once its host reports
 *    that it has stopped, or together with its successor on the same host.
 */
export function checkDiscards(
  snapshot: Snapshot,
  changes: readonly HostChange[],
): readonly Violation[] {
  const fleets = new Map(snapshot.fleets.map((fleet) => [fleet.spec.name, fleet]));
  if (changes.every(({ written }) => written === undefined)) return [];
  const newest = newestOrdered(changes);
  const isExtra = extrasGivenUp(snapshot, changes);
  return changes.flatMap((change) => {
    if (change.written === undefined) return [];
    const violations: Violation[] = [];
    const remaining = new Set<string>();
    for (const entry of change.written.instances) {
      const key = entryKey(entry);
      remaining.add(key);
      if (entry.desired !== "discard") continue;
      const previous = change.entriesBefore.get(key);
      if (previous?.desired === "discard") continue;
      const fleet = fleets.get(entry.fleet);
      if (fleet !== undefined && (isGivenUp(fleet, entry) || isExtra(fleet, entry))) continue;
      const isNewest = newest.get(entry.name) === entry.incarnation;
      if (isNewest && previous !== undefined && isPlannedEnd(change, fleet, previous)) continue;
      violations.push(i4(`${key} would be discarded on ${change.view.name}: nobody asked for it`));
    }
    for (const [key, entry] of change.entriesBefore) {
      if (remaining.has(key)) continue;
      if (entry.desired === "discard" && isReportedGone(change, key)) continue;
      violations.push(i4(`${key} would drop out of the orders of ${change.view.name}`));
    }
    return violations;
  });
}

function isGivenUp({ spec, state }: FleetRecord, { index }: OrderedInstance): boolean {
  if (state === "deleting") return true;
  if (index < FIRST_EXTRA) return index >= spec.replicas;
  return index >= FIRST_EXTRA + spec.update.maxSurge;
}

/** Tells extra instances of updates that are over; looks only once it is asked. */
function extrasGivenUp(snapshot: Snapshot, changes: readonly HostChange[]) {
  let known: ReadonlyMap<string, Standing> | undefined;
  return (fleet: FleetRecord, { index }: OrderedInstance): boolean => {
    if (index < FIRST_EXTRA || isHeld(fleet)) return false;
    known ??= standings(
      snapshot.fleets.filter(({ spec }) => spec.update.maxSurge > 0),
      changes,
    );
    const standing = known.get(fleet.spec.name);
    return standing !== undefined && isSettled(fleet, standing);
  };
}

const isHeld = ({ rollout: { state } }: FleetRecord): boolean =>
  state.kind === "paused" || state.kind === "halted";

function isPlannedEnd(
  change: HostChange,
  fleet: FleetRecord | undefined,
  previous: OrderedInstance,
): boolean {
  if (fleet === undefined || change.view.liveness !== "up") return false;
  const wish = fleet.wishes.find((one) => one.index === previous.index);
  if (wish?.isStopped === true) return false;
  const isReplaced = previous.template !== fleet.template && !isHeld(fleet);
  const isRestarted = previous.incarnation < (wish?.minIncarnation ?? 0);
  if (isReplaced || isRestarted) return hasEnded(change, previous) || isSucceeded(change, previous);
  return change.view.admin === "draining" && hasEnded(change, previous);
}

/** It was ordered to stop, and its host reports that it has. */
function hasEnded({ view, before }: HostChange, previous: OrderedInstance): boolean {
  if (previous.desired !== "stop" || view.report?.generation !== before?.generation) return false;
  const key = entryKey(previous);
  const phase = view.report?.instances.find((one) => entryKey(one) === key)?.phase;
  return phase === undefined || phase === "stopped" || phase === "failed";
}

/** The same document begins a later incarnation of it. */
const isSucceeded = ({ written, entriesBefore }: HostChange, previous: OrderedInstance): boolean =>
  written?.instances.some(
    (one) =>
      one.name === previous.name &&
      one.incarnation > previous.incarnation &&
      one.desired === "run" &&
      !entriesBefore.has(entryKey(one)),
  ) === true;

const isReportedGone = ({ view, before }: HostChange, key: string): boolean =>
  view.report !== undefined &&
  view.report.generation === before?.generation &&
  !view.report.instances.some((one) => entryKey(one) === key);

function newestOrdered(changes: readonly HostChange[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { before } of changes) {
    for (const { name, incarnation } of before?.instances ?? []) {
      newest.set(name, Math.max(newest.get(name) ?? 0, incarnation));
    }
  }
  return newest;
}

const i4 = (text: string): Violation => ({ invariant: "I4", text });
