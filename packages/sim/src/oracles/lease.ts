import { isUp, keyOf, type Oracle, type Truth } from "./truth.ts";

/**
 * I1 and the ground of I2: an incarnation is newly ordered only where no other incarnation of its
 * instance is alive on another host that holds a lease, for that is what a lease promises.
 */
export function lease(): Oracle {
  const known = new Set<string>();
  const look = ({ control, hosts, nowMs }: Truth): readonly string[] => {
    const found: string[] = [];
    for (const [host, { value }] of control.orders) {
      for (const one of value.instances) {
        const key = `${keyOf(one)} on ${host}`;
        if (one.desired !== "run" || known.has(key)) continue;
        known.add(key);
        for (const other of hosts) {
          if (other.name === host || other.leasedUntilMs <= nowMs) continue;
          const alive = other.instances.find((each) => each.name === one.name && isUp(each));
          if (alive === undefined) continue;
          const leftMs = Math.round(other.leasedUntilMs - nowMs);
          const where = `${keyOf(alive)} is alive on ${other.name}`;
          found.push(`${key} was ordered while ${where}, whose lease lasts ${leftMs} ms more`);
        }
      }
    }
    return found;
  };
  return { invariant: "I1", look };
}
