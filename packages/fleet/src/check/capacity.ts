import type { Violation } from "../plan.ts";
import type { Overcommit } from "../snapshot.ts";
import type { Resources } from "../spec.ts";
import { entryKey, type HostChange } from "./after.ts";

const RESOURCES = ["vcpuMillis", "memoryMib", "diskMib"] as const;
type Resource = (typeof RESOURCES)[number];
type Sums = { -readonly [Kind in Resource]: number };

/**
 * I3: where a plan adds to what a host has promised of a resource, the sum stays within capacity
 * times overcommit. What exceeded it before is no fault of the plan.
 */
export function checkCapacity(
  changes: readonly HostChange[],
  overcommit: Overcommit,
): readonly Violation[] {
  const factors = {
    vcpuMillis: overcommit.vcpu,
    memoryMib: overcommit.memory,
    diskMib: overcommit.disk,
  };
  return changes.flatMap((change) => {
    if (change.written === undefined) return [];
    const { promised, added, unsized } = sums(change);
    const host = change.view.name;
    const capacity = change.view.report?.capacity;
    const excesses = RESOURCES.flatMap((kind) => {
      const limit = (capacity?.[kind] ?? 0) * factors[kind];
      const isWithin = added[kind] === 0 || promised[kind] <= limit;
      return isWithin ? [] : [`${host} would promise ${promised[kind]} ${kind} of ${limit}`];
    });
    const unknown = unsized.map((key) => `${key} is ordered on ${host} without its template`);
    return [...excesses, ...unknown].map((text) => ({ invariant: "I3", text }) as const);
  });
}

/** What the host promises after the plan, and how much of it the plan itself adds. */
function sums({ view, before, written, entriesBefore }: HostChange): {
  readonly promised: Sums;
  readonly added: Sums;
  /** What is to run and names a template that the document does not hold. */
  readonly unsized: readonly string[];
} {
  const unsized: string[] = [];
  const promised = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  const added = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  const templates = new Map(written?.templates.map((one) => [one.digest, one.template.resources]));
  const states = new Map(view.report?.instances.map((one) => [entryKey(one), one.phase]));
  const isReportCurrent = view.report?.generation === (before?.generation ?? 0);
  for (const entry of written?.instances ?? []) {
    const needs = templates.get(entry.template);
    const key = entryKey(entry);
    if (needs === undefined) {
      if (entry.desired === "run") unsized.push(key);
      continue;
    }
    const previous = entriesBefore.get(key);
    const phase = states.get(key);
    const hasEnded = phase === undefined || phase === "stopped" || phase === "failed";
    const wasAtRest =
      previous !== undefined && previous.desired !== "run" && isReportCurrent && hasEnded;
    const usesCpu = entry.desired === "run" || !wasAtRest;
    const isNewRun =
      entry.desired === "run" &&
      (previous === undefined || (previous.desired !== "run" && hasEnded));
    // One that the host has already, unasked, is adopted: it takes nothing that it had not taken.
    const isAdopted = previous === undefined && phase !== undefined;
    const isGone = previous?.desired === "discard" && isReportCurrent && phase === undefined;
    add(promised, needs, usesCpu, !isGone);
    if (isNewRun && !isAdopted) add(added, needs, true, previous === undefined);
  }
  return { promised, added, unsized };
}

function add(sum: Sums, needs: Resources, cpu: boolean, disk: boolean): void {
  if (cpu) {
    sum.vcpuMillis += needs.vcpuMillis;
    sum.memoryMib += needs.memoryMib;
  }
  if (disk) sum.diskMib += needs.diskMib;
}
