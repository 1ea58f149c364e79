import type { DriverInstance } from "@evm/drivers";
import type { FleetName, FleetRecord, HostName, OrderedInstance, Orders } from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { isSameIncarnation, keyOf, type Oracle, type Truth, withoutSame } from "./truth.ts";

type Desired = OrderedInstance["desired"];

/**
 * I4: what is gone from a host was ordered to be discarded there; and that was ordered only of an
 * instance that an operator gave up at some time, of an incarnation that was stopped before, or of
 * one that the same orders replace, because its template changed or a restart was asked for.
 */
export function data(): Oracle {
  const givenUp = new Set<string>();
  const desired = new Map<string, Desired>();
  const held = new Map<HostName, readonly DriverInstance[]>();
  const declared = new Declared();
  const written = writes();

  function noteGivenUp({ control, places, changes }: Truth): void {
    const names = changes.areRecords ? places.keys() : changes.names;
    for (const name of names) {
      const one = places.get(name)?.ordered[0]?.one;
      if (one === undefined) continue;
      const record = control.fleets.get(one.fleet)?.value;
      const isWanted = record?.state === "active" && one.index < record.spec.replicas;
      if (!isWanted) givenUp.add(name);
    }
  }

  function ordered(truth: Truth): readonly string[] {
    const { changes, control, nowMs } = truth;
    if (changes.areRecords) declared.note(control, nowMs);
    return written(truth).flatMap(({ host, instances }) =>
      instances.flatMap((one) => {
        const place = `${keyOf(one)} on ${host}`;
        const was = desired.get(place);
        desired.set(place, one.desired);
        if (one.desired !== "discard" || was === "discard" || givenUp.has(one.name)) return [];
        const isPlanned = was === "stop" || isReplaced(one, instances, declared.lately(one, nowMs));
        return isPlanned ? [] : [`${place} is to be discarded, and was to ${was ?? "be"}`];
      }),
    );
  }

  /** Once its driver left one out, its discard counted as done, and the order for it as obeyed. */
  function gone({ changes, nowMs }: Truth): readonly string[] {
    return changes.hosts.flatMap(({ name, instances, excuses, accepted }) => {
      const before = held.get(name) ?? [];
      held.set(name, instances);
      // It is another machine: what the one before had is gone with its disk, orders and all.
      if (accepted === undefined) return [];
      return withoutSame(before, instances).flatMap((one) => {
        const place = `${keyOf(one)} on ${name}`;
        const isThere = instances.some((other) => isSameIncarnation(one, other));
        const isOrdered = isThere || desired.get(place) === "discard";
        if (isOrdered || excuses(one, nowMs).includes("driver lied")) return [];
        return [`${place} is gone, and nobody ordered that`];
      });
    });
  }

  const look = (truth: Truth): readonly string[] => {
    noteGivenUp(truth);
    return [...ordered(truth), ...gone(truth)];
  };
  return { invariant: "I4", look };
}

/**
 * Tells what was ordered. Once more a leader from before a loss may write, to a copy that is older
 * (S5): it knew all that was declared, and agents obey it.
 */
function writes(): (truth: Truth) => readonly Orders[] {
  /** What is left of orders while the control state is lost, and what was written to it since. */
  let left: ControlState["orders"] | undefined;
  const late = new Map<HostName, Orders>();
  return (truth) => {
    const now = truth.left?.orders;
    if (now === undefined) late.clear();
    else if (left !== undefined) {
      for (const [host, { value }] of now) {
        if (left.get(host)?.value !== value) late.set(host, value);
      }
    }
    left = now;
    return [...truth.changes.orders.filter(({ host }) => !late.has(host)), ...late.values()];
  };
}

/** So long may a commit be under way that was planned on what was declared before. */
const COMMIT_MS = 10_000;

type Declaration = { readonly record: FleetRecord; untilMs: number };

/** What is declared of each fleet, and what was until lately: a commit may be of before. */
class Declared {
  readonly #fleets = new Map<FleetName, Declaration[]>();

  note({ fleets }: ControlState, nowMs: number): void {
    for (const [name, { value: record }] of fleets) {
      const known = this.#fleets.get(name) ?? [];
      const last = known.at(-1);
      if (last?.record === record) continue;
      if (last !== undefined) last.untilMs = nowMs;
      const recent = known.filter(({ untilMs }) => untilMs > nowMs - COMMIT_MS);
      this.#fleets.set(name, [...recent, { record, untilMs: Number.POSITIVE_INFINITY }]);
    }
  }

  lately({ fleet }: OrderedInstance, nowMs: number): readonly FleetRecord[] {
    const known = this.#fleets.get(fleet) ?? [];
    return known.filter(({ untilMs }) => untilMs > nowMs - COMMIT_MS).map(({ record }) => record);
  }
}

function isReplaced(
  one: OrderedInstance,
  instances: readonly OrderedInstance[],
  records: readonly FleetRecord[],
): boolean {
  const isToEnd = records.some(({ template, wishes }) => {
    const wish = wishes.find(({ index }) => index === one.index);
    return template !== one.template || one.incarnation < (wish?.minIncarnation ?? 0);
  });
  const isFollowed = instances.some(
    (next) =>
      next.name === one.name && next.incarnation > one.incarnation && next.desired === "run",
  );
  return isToEnd && isFollowed;
}
