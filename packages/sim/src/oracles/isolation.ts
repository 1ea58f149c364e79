import type { FleetName } from "@evm/fleet";
import { type Excuse, type HostTruth, isUp, keyOf, NOWHERE, type Oracle } from "./truth.ts";

/** How often each excuse was needed. */
export type Excused = Map<Excuse, number>;

/**
 * I2: an instance of a fleet with `onIsolation: stop` is never truly alive on two hosts. What an
 * agent cannot do is excused, and counted: one that was frozen, was down or began anew since it
 * was last promised a lease, whose driver did not stop in time, or lied.
 *
 * @param leaseMs what coordinators grant: excuses from before the last lease do not count
 */
export function isolation(leaseMs: number, excused: Excused): Oracle {
  /** Judged when it began: an agent that is back ends it, and holds a lease meanwhile. */
  const known = new Set<string>();
  return {
    invariant: "I2",
    look: (truth) =>
      [...truth.changes.names].flatMap((name) => {
        const { existing } = truth.places.get(name) ?? NOWHERE;
        if (existing.length < 2) return [];
        const alive = existing.filter(({ one }) => isUp(one));
        const newest = alive.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
        if (alive.length < 2 || newest === undefined) return [];
        return alive.flatMap(({ host, one }) => {
          const there = truth.hosts.get(host);
          const isStopping = there !== undefined && stopsAlone(there, one.fleet);
          if (host === newest.host || !isStopping) return [];
          const key = `${keyOf(one)} on ${host} beside ${keyOf(newest.one)} on ${newest.host}`;
          if (known.has(key)) return [];
          known.add(key);
          const excuses = there.excuses(one, there.leasedUntilMs() - leaseMs);
          for (const excuse of excuses) excused.set(excuse, (excused.get(excuse) ?? 0) + 1);
          return excuses.length > 0 ? [] : [`${key}: both are alive`];
        });
      }),
  };
}

/** True where its agent knows that it is to stop instances of the fleet when its lease ends. */
const stopsAlone = ({ accepted }: HostTruth, fleet: FleetName): boolean =>
  accepted?.fleets.some((one) => one.name === fleet && one.onIsolation === "stop") === true;
