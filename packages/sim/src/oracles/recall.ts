import {
  type FleetRecord,
  type HostName,
  isSame,
  type OrderedInstance,
  type Orders,
  SURGE_INDEX,
} from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { isEstranged, keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/** So long may a commit be under way that was planned on what was declared before. */
const COMMIT_MS = 10_000;

type Past = { readonly control: ControlState; readonly untilMs: number };

/**
 * The loss of the control state stops nothing, and neither does its restore: while it is lost
 * nothing is written to what is left of it; then every host that answered is ordered what it went
 * by, by records that want it so; and what ran goes on until its fleet says otherwise.
 */
export function recall(): Oracle {
  let left: ControlState | undefined;
  /** What hosts that were restored were to run then, by place. */
  const carried = new Set<string>();
  /** What was declared until lately. */
  let past: readonly Past[] = [];
  let present: ControlState | undefined;

  const look = (truth: Truth): readonly string[] => {
    const before = left;
    left = truth.left;
    if (truth.changes.areRecords) notePast(truth);
    const { restore } = truth.changes;
    if (restore?.isOfLoss === true) return restored(truth);
    if (left !== undefined)
      return before === undefined ? [] : written(before, left, truth.control.epoch.epoch);
    return truth.changes.orders.flatMap((orders) => ended(orders, truth));
  };

  function notePast({ control, nowMs }: Truth): void {
    const recent = past.filter(({ untilMs }) => untilMs > nowMs - COMMIT_MS);
    past = present === undefined ? recent : [...recent, { control: present, untilMs: nowMs }];
    present = control;
  }

  function restored(truth: Truth): readonly string[] {
    carried.clear();
    past = [];
    return [...truth.hosts.values()].flatMap((host) => {
      const { name, accepted } = host;
      const stored = truth.control.orders.get(name)?.value;
      if (accepted === undefined || stored === undefined || isEstranged(host, truth)) return [];
      const isLater = stored.generation > accepted.generation;
      if (!isLater && !isSame(stored, accepted)) return [`${name} is ordered other than before`];
      const toRun = stored.instances.filter(({ desired }) => desired === "run");
      for (const one of toRun) carried.add(placeOf(one, name));
      return toRun.flatMap((one) => {
        const why = reasonToEnd(one, truth);
        const isWanted = why === undefined || why === "it has been followed";
        return isWanted ? [] : [`${placeOf(one, name)} is not wanted after the restore: ${why}`];
      });
    });
  }

  function ended({ host, instances }: Orders, truth: Truth): readonly string[] {
    return instances.flatMap((one) => {
      if (one.desired === "run" || !carried.delete(placeOf(one, host))) return [];
      const lately = [...past.map(({ control }) => control), truth.control];
      if (lately.some((control) => isToEnd(one, host, { ...truth, control }))) return [];
      return [`${placeOf(one, host)} is to ${one.desired} after the restore`];
    });
  }

  return { invariant: "recall", look };
}

/** What was written to what is left; who leads from before may write once more (S5). */
const written = (before: ControlState, now: ControlState, lastEpoch: number): readonly string[] =>
  [...now.orders.values()].flatMap(({ value }) => {
    const isNew = before.orders.get(value.host)?.value !== value;
    // Orders that name nothing are for a host that never had any, and runs what nobody knows.
    if (!isNew || value.epoch === lastEpoch || value.instances.length === 0) return [];
    return [`${value.host} is given orders while the control state is lost`];
  });

function isToEnd(one: OrderedInstance, host: HostName, truth: Truth): boolean {
  const { hosts, fleets } = truth.control;
  const isDrained = hosts.get(host)?.value.admin === "draining";
  const record = fleets.get(one.fleet)?.value;
  // An extra one ends once all others are well.
  const isSpare = one.index >= SURGE_INDEX && record !== undefined && !isHeld(record);
  return isDrained || isSpare || reasonToEnd(one, truth) !== undefined;
}

/** Why its fleet no longer wants an incarnation where it is; undefined where it does. */
function reasonToEnd(one: OrderedInstance, truth: Truth): string | undefined {
  const record = truth.control.fleets.get(one.fleet)?.value;
  if (record === undefined) return "its fleet is gone";
  const { ordered } = truth.places.get(one.name) ?? NOWHERE;
  if (ordered.some((other) => other.one.incarnation > one.incarnation)) {
    return "it has been followed";
  }
  if (record.state === "deleting") return "its fleet is being deleted";
  const isExtra = one.index >= SURGE_INDEX;
  if (!isExtra && one.index >= record.spec.replicas) return "its fleet is smaller";
  const wish = record.wishes.find(({ index }) => index === one.index);
  if (wish?.isStopped === true) return "it is to be stopped";
  if (one.incarnation < (wish?.minIncarnation ?? 0)) return "it is to be restarted";
  if (one.template !== record.template && !isHeld(record)) return "it is of another template";
  return undefined;
}

const isHeld = ({ rollout: { state } }: FleetRecord): boolean =>
  state.kind === "paused" || state.kind === "halted";

const placeOf = (one: OrderedInstance, host: HostName): string => `${keyOf(one)} on ${host}`;
