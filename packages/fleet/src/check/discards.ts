import type { OrderedInstance } from "../orders.ts";
import type { Violation } from "../plan.ts";
import type { FleetRecord, Snapshot } from "../snapshot.ts";
import { entryKey, type HostChange } from "./after.ts";

/**
 * I4: a new `discard` follows from something an operator did (a fleet deleted or scaled down, or a
 * planned end of an incarnation that its host reports stopped), and an entry leaves the orders
 * only where it was a discard and its host, under these very orders, lists it no more.
 */
export function checkDiscards(
  snapshot: Snapshot,
  changes: readonly HostChange[],
): readonly Violation[] {
  const fleets = new Map(snapshot.fleets.map((fleet) => [fleet.spec.name, fleet]));
  if (changes.every(({ written }) => written === undefined)) return [];
  const newest = newestOrdered(changes);
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
      if (isGivenUp(fleet, entry)) continue;
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

const isGivenUp = (fleet: FleetRecord | undefined, entry: OrderedInstance): boolean =>
  fleet !== undefined && (fleet.state === "deleting" || entry.index >= fleet.spec.replicas);

function isPlannedEnd(
  change: HostChange,
  fleet: FleetRecord | undefined,
  previous: OrderedInstance,
): boolean {
  if (fleet === undefined || previous.desired !== "stop") return false;
  const { view, before } = change;
  if (view.liveness !== "up" || view.report?.generation !== before?.generation) return false;
  const key = entryKey(previous);
  const phase = view.report?.instances.find((one) => entryKey(one) === key)?.phase;
  if (phase !== undefined && phase !== "stopped" && phase !== "failed") return false;
  const wish = fleet.wishes.find((one) => one.index === previous.index);
  if (wish?.isStopped === true) return false;
  return (
    view.admin === "draining" ||
    previous.template !== fleet.template ||
    previous.incarnation < (wish?.minIncarnation ?? 0)
  );
}

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
