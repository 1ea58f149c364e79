import type { DriverInstance } from "@evm/drivers";
import type { FleetName, HostName } from "@evm/fleet";
import {
  type Excuse,
  type HostTruth,
  isUp,
  keyOf,
  NOWHERE,
  type Oracle,
  type Places,
  type Truth,
} from "./truth.ts";

/** How often each excuse was needed. */
export type Excused = Map<Excuse, number>;

/**
 * I2: an instance of a fleet with `onIsolation: stop` is never truly alive on two hosts. What an
 * agent cannot do is excused, and counted: one that was frozen, was down or began anew since it
 * was last promised a lease that counts, whose driver did not stop in time, or lied. One that is
 * granted once the successor is ordered promises nothing of what that succeeds. Nor is waited for
 * what a driver denied: once it is forgotten, its fleet may be declared anew, and counts from 1.
 *
 * @param leaseMs what coordinators grant: excuses from before the last lease do not count
 */
export function isolation(leaseMs: number, excused: Excused): Oracle {
  /** Judged when it began: an agent that is back ends it, and holds a lease meanwhile. */
  const known = new Set<string>();
  /** When the last lease was asked for that counts for what has a successor; by place. */
  const promisedAtMs = new Map<string, number>();
  const lastPromiseMs = (there: HostTruth): number => there.leasedUntilMs() - leaseMs;

  function noteSuccession({ changes, hosts, places }: Truth): void {
    for (const order of changes.orders) {
      for (const { name, incarnation, desired } of order.instances) {
        if (desired !== "run") continue;
        for (const { host, one } of places.get(name)?.existing ?? []) {
          const there = hosts.get(host);
          const place = placeOf(one, host);
          const isOlder = host !== order.host && one.incarnation < incarnation;
          if (!isOlder || there === undefined || promisedAtMs.has(place)) continue;
          promisedAtMs.set(place, lastPromiseMs(there));
        }
      }
    }
  }

  return {
    invariant: "I2",
    look: (truth) => {
      noteSuccession(truth);
      return [...truth.changes.names].flatMap((name) => {
        const { existing } = truth.places.get(name) ?? NOWHERE;
        if (existing.length < 2) return [];
        const alive = existing.filter(({ one }) => isUp(one));
        const newest = alive.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
        if (alive.length < 2 || newest === undefined) return [];
        return alive.flatMap(({ host, one }) => {
          const there = truth.hosts.get(host);
          const isStopping = there !== undefined && isStoppedAlone(there, one.fleet);
          // One incarnation on two hosts is for I1 to tell.
          if (one.incarnation === newest.one.incarnation || !isStopping) return [];
          const place = placeOf(one, host);
          const key = `${place} beside ${placeOf(newest.one, newest.host)}`;
          if (known.has(key)) return [];
          known.add(key);
          const sinceMs = promisedAtMs.get(place) ?? lastPromiseMs(there);
          const excuses = isDenied(newest, truth) ? DENIED : there.excuses(one, sinceMs);
          for (const excuse of excuses) excused.set(excuse, (excused.get(excuse) ?? 0) + 1);
          return excuses.length > 0 ? [] : [`${key}: both are alive`];
        });
      });
    },
  };
}

const DENIED: readonly Excuse[] = ["driver lied"];

/** True of what is in no orders any more, and was once left out of a list. */
function isDenied({ host, one }: Places["existing"][number], truth: Truth): boolean {
  const { ordered } = truth.places.get(one.name) ?? NOWHERE;
  if (ordered.some((other) => other.host === host && keyOf(other.one) === keyOf(one))) return false;
  return truth.hosts.get(host)?.excuses(one, truth.nowMs).includes("driver lied") === true;
}

const placeOf = (one: DriverInstance, host: HostName): string => `${keyOf(one)} on ${host}`;

/** True where its agent knows that it is to stop instances of the fleet when its lease ends. */
export const isStoppedAlone = ({ accepted }: HostTruth, fleet: FleetName): boolean =>
  accepted?.fleets.some((one) => one.name === fleet && one.onIsolation === "stop") === true;
