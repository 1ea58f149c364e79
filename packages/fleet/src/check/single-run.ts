import type { Violation } from "../plan.ts";
import { entryKey, type HostChange, type Placed } from "./after.ts";

/**
 * I1: no incarnation is ordered on two hosts with one of them to run it, no instance has two
 * incarnations to run, and what is newly ordered to run was never ordered or seen elsewhere.
 */
export function checkSingleRun(changes: readonly HostChange[]): readonly Violation[] {
  const violations: Violation[] = [];
  const running = new Map<string, Placed>();
  const hostsOf = new Map<string, Set<string>>();
  const knownUpTo = new Map<string, number>();
  const note = (name: string, incarnation: number, key: string, host: string): void => {
    knownUpTo.set(name, Math.max(knownUpTo.get(name) ?? 0, incarnation));
    const hosts = hostsOf.get(key);
    if (hosts === undefined) hostsOf.set(key, new Set([host]));
    else hosts.add(host);
  };
  const begun = newlyOrdered(changes);
  for (const { view, before } of begun.size === 0 ? [] : changes) {
    for (const known of [before?.instances ?? [], view.report?.instances ?? []]) {
      for (const one of known) {
        if (begun.has(one.name)) note(one.name, one.incarnation, entryKey(one), view.name);
      }
    }
  }
  for (const change of changes) {
    for (const entry of change.after?.instances ?? []) {
      if (entry.desired !== "run") continue;
      const other = running.get(entry.name);
      if (other !== undefined) violations.push(twoRuns(other, { change, entry }));
      running.set(entry.name, { change, entry });
      if (change.written === undefined) continue;
      const key = entryKey(entry);
      if (change.entriesBefore.has(key)) continue;
      const elsewhere = [...(hostsOf.get(key) ?? [])].filter((host) => host !== change.view.name);
      const known = knownUpTo.get(entry.name) ?? 0;
      if (elsewhere.length > 0 || entry.incarnation < known) {
        const where = elsewhere.length > 0 ? `is known on ${elsewhere.join(", ")}` : "is not new";
        violations.push(i1(`${key} is newly ordered on ${change.view.name}, but ${where}`));
      }
    }
  }
  return violations;
}

/** Names of what the plan orders to run that its host was not ordered before, in any way. */
function newlyOrdered(changes: readonly HostChange[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { written, entriesBefore } of changes) {
    for (const entry of written?.instances ?? []) {
      if (entry.desired === "run" && !entriesBefore.has(entryKey(entry))) names.add(entry.name);
    }
  }
  return names;
}

const twoRuns = (a: Placed, b: Placed): Violation =>
  i1(
    `${entryKey(a.entry)} is to run on ${a.change.view.name}, ` +
      `and ${entryKey(b.entry)} on ${b.change.view.name}`,
  );

const i1 = (text: string): Violation => ({ invariant: "I1", text });
