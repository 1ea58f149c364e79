import type { HostName, OrderedInstance } from "@evm/fleet";
import type { ControlState } from "@evm/store";
import { keyOf, type Oracle, type Truth } from "./truth.ts";

type Desired = OrderedInstance["desired"];

/**
 * I4: what is gone from a host was ordered to be discarded there; and that was ordered only of an
 * instance that an operator gave up at some time, of an incarnation that was stopped before, or of
 * one that the same orders replace, because its template changed or a restart was asked for.
 */
export function data(): Oracle {
  const givenUp = new Set<string>();
  const desired = new Map<string, Desired>();
  const held = new Map<HostName, ReadonlySet<string>>();

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

  function ordered({ changes, control }: Truth): readonly string[] {
    return changes.orders.flatMap(({ host, instances }) =>
      instances.flatMap((one) => {
        const place = `${keyOf(one)} on ${host}`;
        const was = desired.get(place);
        desired.set(place, one.desired);
        if (one.desired !== "discard" || was === "discard" || givenUp.has(one.name)) return [];
        const isPlanned = was === "stop" || isReplaced(one, instances, control);
        return isPlanned ? [] : [`${place} is to be discarded, and was to ${was ?? "be"}`];
      }),
    );
  }

  function gone({ changes }: Truth): readonly string[] {
    return changes.hosts.flatMap(({ name, instances }) => {
      const now = new Set(instances.map((one) => `${keyOf(one)} on ${name}`));
      const before = held.get(name) ?? new Set();
      held.set(name, now);
      const missing = [...before].filter((one) => !now.has(one) && desired.get(one) !== "discard");
      return missing.map((one) => `${one} is gone, and nobody ordered that`);
    });
  }

  const look = (truth: Truth): readonly string[] => {
    noteGivenUp(truth);
    return [...ordered(truth), ...gone(truth)];
  };
  return { invariant: "I4", look };
}

function isReplaced(
  one: OrderedInstance,
  instances: readonly OrderedInstance[],
  { fleets }: ControlState,
): boolean {
  const record = fleets.get(one.fleet)?.value;
  const wish = record?.wishes.find(({ index }) => index === one.index);
  const isToEnd =
    record?.template !== one.template || one.incarnation < (wish?.minIncarnation ?? 0);
  const isFollowed = instances.some(
    (next) =>
      next.name === one.name && next.incarnation > one.incarnation && next.desired === "run",
  );
  return isToEnd && isFollowed;
}
