import type { OrderedInstance } from "../orders.ts";
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
 *
 * Incarnations of one instance that are discarded on the host where a later one is to run, or was
 * until it was to stop, count with it as the largest of them: agents run one incarnation at a time,
 * and remove what is to be discarded before they prepare what is to run. What a host reports side
 * by side counts so.
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

/** One entry after the plan, and what it takes of its host. */
type Use = {
  readonly entry: OrderedInstance;
  readonly needs: Resources;
  readonly usesCpu: boolean;
  readonly usesDisk: boolean;
  readonly isReported: boolean;
  /** The plan has it run, and it did not. */
  readonly isBegun: boolean;
  /** The plan names it for the first time. */
  readonly isNew: boolean;
};

/** What the host promises after the plan, and how much of it the plan itself adds. */
function sums(change: HostChange): {
  readonly promised: Sums;
  readonly added: Sums;
  /** What is to run and names a template that the document does not hold. */
  readonly unsized: readonly string[];
} {
  const { uses, unsized } = usesOf(change);
  const promised = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  const added = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  for (let at = 0; at < uses.length; ) {
    const first = uses[at];
    let end = at + 1;
    // Documents are sorted by name; of one that is not, more is counted.
    while (uses[end]?.entry.name === first?.entry.name && end < uses.length) end += 1;
    if (end === at + 1 && first !== undefined) {
      addTo(promised, takes(first));
      if (first.isBegun) addTo(added, { ...takes(first), ...(first.isNew ? {} : { diskMib: 0 }) });
    } else {
      addInstance(uses.slice(at, end), promised, added);
    }
    at = end;
  }
  return { promised, added, unsized };
}

/** Adds several incarnations of one instance. */
function addInstance(uses: readonly Use[], promised: Sums, added: Sums): void {
  const successor = uses.findLast((use) => use.entry.desired !== "discard");
  const isInTurn = ({ entry }: Use): boolean =>
    successor !== undefined &&
    entry.desired === "discard" &&
    entry.incarnation < successor.entry.incarnation;
  for (const use of uses) {
    if (use !== successor && !isInTurn(use)) addTo(promised, takes(use));
  }
  if (successor === undefined) return;
  const doomed = uses.filter(isInTurn);
  const before = together(doomed);
  const after = together([...doomed, successor]);
  addTo(promised, after);
  if (!successor.isBegun) return;
  addTo(added, {
    vcpuMillis: after.vcpuMillis - before.vcpuMillis,
    memoryMib: after.memoryMib - before.memoryMib,
    diskMib: successor.isNew ? after.diskMib - before.diskMib : 0,
  });
}

/** What incarnations take of which one at a time is there, but for disks that are reported. */
function together(uses: readonly Use[]): Resources {
  const all = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  let reportedMib = 0;
  for (const use of uses) {
    const one = takes(use);
    for (const kind of RESOURCES) all[kind] = Math.max(all[kind], one[kind]);
    if (use.isReported) reportedMib += one.diskMib;
  }
  return { ...all, diskMib: Math.max(all.diskMib, reportedMib) };
}

const takes = ({ needs, usesCpu, usesDisk }: Use): Resources => ({
  vcpuMillis: usesCpu ? needs.vcpuMillis : 0,
  memoryMib: usesCpu ? needs.memoryMib : 0,
  diskMib: usesDisk ? needs.diskMib : 0,
});

function usesOf({ view, before, written, entriesBefore }: HostChange): {
  readonly uses: readonly Use[];
  readonly unsized: readonly string[];
} {
  const unsized: string[] = [];
  const uses: Use[] = [];
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
    const isNewRun =
      entry.desired === "run" &&
      (previous === undefined || (previous.desired !== "run" && hasEnded));
    // One that the host has already, unasked, is adopted: it takes nothing that it had not taken.
    const isAdopted = previous === undefined && phase !== undefined;
    const isGone = previous?.desired === "discard" && isReportCurrent && phase === undefined;
    uses.push({
      ...{ entry, needs, usesDisk: !isGone, isReported: phase !== undefined },
      usesCpu: entry.desired === "run" || !wasAtRest,
      isBegun: isNewRun && !isAdopted,
      isNew: previous === undefined,
    });
  }
  return { uses, unsized };
}

function addTo(sum: Sums, some: Resources): void {
  for (const kind of RESOURCES) sum[kind] += some[kind];
}
