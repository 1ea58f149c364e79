import { type Excused, isStoppedAlone } from "./isolation.ts";
import { isUp, keyOf, type Oracle } from "./truth.ts";

/** So late may the end of a start be that was begun before the lease ended, and a stop after it. */
const LATE_MS = 2_000;

/**
 * What I2 rests on: an instance of a fleet with `onIsolation: stop` does not run on when the lease
 * of its host is over, whether or not anything has succeeded it. Agents are excused as for I2.
 *
 * @param leaseMs what coordinators grant: excuses from before the last lease do not count
 */
export function lapse(leaseMs: number, excused: Excused): Oracle {
  const known = new Set<string>();
  return {
    invariant: "I2",
    look: ({ hosts, nowMs }) => {
      const found: string[] = [];
      for (const there of hosts.values()) {
        const untilMs = there.leasedUntilMs();
        if (untilMs === 0 || untilMs + LATE_MS > nowMs) continue;
        for (const one of there.instances) {
          const key = `${keyOf(one)} on ${there.name} after ${untilMs}`;
          if (!isUp(one) || !isStoppedAlone(there, one.fleet) || known.has(key)) continue;
          known.add(key);
          const excuses = there.excuses(one, untilMs - leaseMs);
          for (const excuse of excuses) excused.set(excuse, (excused.get(excuse) ?? 0) + 1);
          if (excuses.length > 0) continue;
          const lateMs = Math.round(nowMs - untilMs);
          found.push(`${keyOf(one)} runs on ${there.name}, ${lateMs} ms after its lease`);
        }
      }
      return found;
    },
  };
}
