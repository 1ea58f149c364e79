import { isGivenUp, isUp, keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/**
 * A leader that gives hosts up has listened for a lease: such a share less by its own clock, and
 * for it looks only now and then whether it can hear.
 */
const TOLERANCE = 1 / 60;

/**
 * An outage alone makes no host lost: a leader gives one up only after it could hear it for as long
 * as a lease lasts.
 *
 * @param leaseMs what coordinators grant
 * @param listened for how long the present leader could hear hosts when it sent its last commit
 */
export function calm(leaseMs: number, listened: () => number | undefined): Oracle {
  const known = new Set<string>();
  const look = (truth: Truth): readonly string[] => {
    const found: string[] = [];
    const { changes, places, hosts, nowMs } = truth;
    for (const { host, instances } of changes.orders) {
      for (const one of instances) {
        const key = `${keyOf(one)} on ${host}`;
        if (one.desired !== "run" || known.has(key)) continue;
        known.add(key);
        const { existing } = places.get(one.name) ?? NOWHERE;
        const left = existing.find(
          (each) => each.host !== host && isUp(each.one) && each.one.incarnation < one.incarnation,
        );
        const ms = listened();
        if (left === undefined || isGivenUp(left.host, truth)) continue;
        if (hosts.get(left.host)?.excuses(left.one, nowMs).includes("driver lied")) continue;
        if (ms === undefined || ms >= leaseMs * (1 - TOLERANCE)) continue;
        const where = `${keyOf(left.one)} on ${left.host}`;
        found.push(`${key} follows ${where} by a leader that listened for ${Math.round(ms)} ms`);
      }
    }
    return found;
  };
  return { invariant: "calm", look };
}
