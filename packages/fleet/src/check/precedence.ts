import type { HostName, InstanceName } from "../ids.ts";
import type { ObservedPhase } from "../phase.ts";
import type { Violation } from "../plan.ts";
import { entryKey, type HostChange } from "./after.ts";

type Place = { readonly host: HostName; readonly name: InstanceName; readonly incarnation: number };

/**
 * I2: what begins, new or again, follows nothing that may be alive on another host: each earlier
 * incarnation there was ordered to end and is reported, by these orders, to have ended, or its host
 * is lost. What a host has already, unasked, does not begin.
 */
export function checkPrecedence(changes: readonly HostChange[]): readonly Violation[] {
  const begun = changes.flatMap(begunOn);
  if (begun.length === 0) return [];
  const names = new Set(begun.map(({ name }) => name));
  const alive = changes
    .filter(({ view }) => view.liveness !== "lost")
    .flatMap((change) => mayBeAlive(change, names));
  const aliveOf = Map.groupBy(alive, ({ name }) => name);
  return begun.flatMap((one) => {
    const earlier = aliveOf
      .get(one.name)
      ?.find(({ host, incarnation }) => host !== one.host && incarnation < one.incarnation);
    if (earlier === undefined) return [];
    const text = `${entryKey(one)} begins on ${one.host}, while ${entryKey(earlier)} may be alive`;
    return [{ invariant: "I2", text: `${text} on ${earlier.host}` }];
  });
}

function begunOn({ view, written, entriesBefore }: HostChange): readonly Place[] {
  const toRun = written?.instances.filter(({ desired }) => desired === "run") ?? [];
  const fresh = toRun.filter((one) => entriesBefore.get(entryKey(one))?.desired !== "run");
  if (fresh.length === 0) return [];
  const reported = new Set(view.report?.instances.map(entryKey));
  return fresh
    .filter((one) => entriesBefore.has(entryKey(one)) || !reported.has(entryKey(one)))
    .map(({ name, incarnation }) => ({ host: view.name, name, incarnation }));
}

function mayBeAlive(
  { view, before }: HostChange,
  names: ReadonlySet<InstanceName>,
): readonly Place[] {
  const phases = new Map<string, ObservedPhase>();
  const places: Place[] = [];
  const note = ({ name, incarnation }: Omit<Place, "host">) =>
    places.push({ host: view.name, name, incarnation });
  for (const one of view.report?.instances ?? []) {
    if (!names.has(one.name)) continue;
    phases.set(entryKey(one), one.phase);
    if (!hasEnded(one.phase)) note(one);
  }
  const isReportCurrent = view.report?.generation === (before?.generation ?? 0);
  for (const one of before?.instances ?? []) {
    if (!names.has(one.name)) continue;
    const isOver = one.desired !== "run" && isReportCurrent && hasEnded(phases.get(entryKey(one)));
    if (!isOver) note(one);
  }
  return places;
}

/** What its host does not report is not there. */
const hasEnded = (phase: ObservedPhase | undefined): boolean =>
  phase === undefined || phase === "stopped" || phase === "failed";
