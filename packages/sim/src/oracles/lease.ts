import { isTakenInAfter, isUp, keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/**
 * The ground of I2, what a lease promises: an incarnation is newly ordered only where no other of
 * its instance is alive on another host that holds a lease; and no host is given a lease again
 * that still runs, by its old orders, what is ordered elsewhere by now. Where a restore takes in
 * what succeeded it, the lease that it has may last, and is not prolonged.
 */
export function lease(): Oracle {
  const known = new Set<string>();
  /** Until when what a restore took in was beside something that held a lease already. */
  const lasting = new Map<string, number>();
  const look = (truth: Truth): readonly string[] => {
    const found: string[] = [];
    for (const name of truth.changes.names) {
      const { ordered, existing } = truth.places.get(name) ?? NOWHERE;
      for (const { host, one } of ordered) {
        if (one.desired !== "run") continue;
        const key = `${keyOf(one)} on ${host}`;
        const isNew = !known.has(key);
        known.add(key);
        for (const other of existing) {
          if (other.host === host || !isUp(other.one)) continue;
          // A restore finds what has been succeeded, too: it is the successor that may run.
          const isSucceeded = one.incarnation < other.one.incarnation;
          if (isSucceeded && truth.restored.has(host)) continue;
          const there = truth.hosts.get(other.host);
          const leftMs = Math.round((there?.leasedUntilMs() ?? 0) - truth.nowMs);
          if (there === undefined || leftMs <= 0) continue;
          const pair = `${key} beside ${keyOf(other.one)} on ${other.host}`;
          if (!lasting.has(pair) && isTakenInAfter({ host, one }, other.host, truth)) {
            lasting.set(pair, there.leasedUntilMs());
          }
          if (there.leasedUntilMs() <= (lasting.get(pair) ?? 0)) continue;
          const isStillOrdered = there.accepted?.instances.some(
            (each) => keyOf(each) === keyOf(other.one) && each.desired === "run",
          );
          if (!isNew && isStillOrdered !== true) continue;
          if (there.excuses(other.one, truth.nowMs).includes("driver lied")) continue;
          const where = `${keyOf(other.one)} is alive on ${other.host}`;
          found.push(`${key} is ordered while ${where}, whose lease lasts ${leftMs} ms more`);
        }
      }
    }
    return found;
  };
  return { invariant: "I2", look };
}
