import { isUp, keyOf, type Oracle, type Truth } from "./truth.ts";

/**
 * The ground of I2, what a lease promises: an incarnation is newly ordered only where no other of
 * its instance is alive on another host that holds a lease; and no host is given a lease again
 * that still runs, by its old orders, what is ordered elsewhere by now.
 */
export function lease(): Oracle {
  const known = new Set<string>();
  const look = (truth: Truth): readonly string[] => {
    const found: string[] = [];
    for (const [host, { value }] of truth.control.orders) {
      for (const one of value.instances) {
        if (one.desired !== "run") continue;
        const key = `${keyOf(one)} on ${host}`;
        const isNew = !known.has(key);
        known.add(key);
        for (const other of truth.hosts) {
          if (other.name === host || other.leasedUntilMs <= truth.nowMs) continue;
          const alive = other.instances.find((each) => each.name === one.name && isUp(each));
          const isStillOrdered = other.accepted?.instances.some(
            (each) => alive !== undefined && keyOf(each) === keyOf(alive) && each.desired === "run",
          );
          if (alive === undefined || !(isNew || isStillOrdered === true)) continue;
          const leftMs = Math.round(other.leasedUntilMs - truth.nowMs);
          const where = `${keyOf(alive)} is alive on ${other.name}`;
          found.push(`${key} is ordered while ${where}, whose lease lasts ${leftMs} ms more`);
        }
      }
    }
    return found;
  };
  return { invariant: "I2", look };
}
