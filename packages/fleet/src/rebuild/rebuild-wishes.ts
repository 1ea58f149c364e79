/** What operators asked of single instances, as far as what is ordered does not say otherwise. */
import { type FleetName, instanceName } from "../ids.ts";
import type { OrderedInstance } from "../orders.ts";
import { nameSome } from "../rule.ts";
import type { FleetRecord, InstanceWish } from "../snapshot.ts";
import type { Ordered } from "./rebuild-fleet.ts";

type WishContext = {
  /** Whether a line of orders may say other than the record. */
  readonly isNew: (ordered: Ordered) => boolean;
  /** Some host may run what nobody here knows. */
  readonly isAnyMissing: boolean;
};

export function rebuildWishes(
  record: FleetRecord,
  entries: readonly Ordered[],
  { isNew, isAnyMissing }: WishContext,
  say: (text: string) => void,
): readonly InstanceWish[] {
  const { name, replicas, onHostLoss } = record.spec;
  const newest = newestByIndex(entries);
  const wishes = new Map(record.wishes.map((wish) => [wish.index, wish]));
  const wishFor = (index: number): InstanceWish =>
    wishes.get(index) ?? { index, isStopped: false, minIncarnation: 0 };
  const resting: number[] = [];
  const unknown: number[] = [];
  for (let index = 0; index < replicas; index += 1) {
    const found = newest.get(index);
    if (found !== undefined && !isNew(found)) continue;
    const one = found?.one;
    const wish = wishFor(index);
    if (one?.desired === "run") {
      const isDone = wish.minIncarnation <= one.incarnation;
      const minIncarnation = isDone ? wish.minIncarnation : 0;
      wishes.set(index, { index, isStopped: false, minIncarnation });
    } else if (one?.desired === "stop" && !isToBeMadeAfresh(record, one, wish)) {
      if (wish.isStopped) continue;
      resting.push(index);
      wishes.set(index, { ...wish, isStopped: true });
    } else if (isAnyMissing) {
      unknown.push(index);
      // What is known of it is older: it is not to go on.
      const next = one === undefined ? 0 : one.incarnation + 1;
      const minIncarnation = Math.max(wish.minIncarnation, next);
      const isStopped = wish.isStopped || onHostLoss === "wait";
      wishes.set(index, { index, isStopped, minIncarnation });
    }
  }
  const names = (indexes: readonly number[]): string => namesOf(name, indexes);
  if (resting.length > 0) say(`ordered to rest, and kept so until started: ${names(resting)}`);
  if (unknown.length > 0) {
    const fate = onHostLoss === "wait" ? "kept stopped until started" : "made afresh elsewhere";
    say(`may be on a host that did not answer, and ${fate}: ${names(unknown)}`);
  }
  return [...wishes.values()]
    .filter((wish) => wish.isStopped || wish.minIncarnation > 0)
    .sort((a, b) => a.index - b.index);
}

/** Stopped on its way to another template or to a restart: that goes on. */
const isToBeMadeAfresh = (record: FleetRecord, one: OrderedInstance, wish: InstanceWish): boolean =>
  one.template !== record.template || one.incarnation < wish.minIncarnation;

function newestByIndex(entries: readonly Ordered[]): ReadonlyMap<number, Ordered> {
  const newest = new Map<number, Ordered>();
  for (const entry of entries) {
    const { index, incarnation } = entry.one;
    const known = newest.get(index)?.one;
    if (known === undefined || incarnation > known.incarnation) newest.set(index, entry);
  }
  return newest;
}

const namesOf = (fleet: FleetName, indexes: readonly number[]): string =>
  nameSome(indexes.map((index) => instanceName(fleet, index)));
