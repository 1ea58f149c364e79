import type { OrderedInstance } from "@evm/fleet";
import { keyOf, type Oracle, type Truth } from "./truth.ts";

/**
 * I4: what is gone from a host was ordered to be discarded there; and that was ordered only of an
 * instance that an operator gave up at some time, or of an incarnation that was stopped before.
 */
export function data(): Oracle {
  const givenUp = new Set<string>();
  const desired = new Map<string, OrderedInstance["desired"]>();
  let before: ReadonlySet<string> = new Set();
  const look = ({ control, hosts }: Truth): readonly string[] => {
    const found: string[] = [];
    for (const [host, { value }] of control.orders) {
      for (const one of value.instances) {
        const record = control.fleets.get(one.fleet)?.value;
        const isWanted = record?.state === "active" && one.index < record.spec.replicas;
        if (!isWanted) givenUp.add(one.name);
        const place = `${keyOf(one)} on ${host}`;
        const was = desired.get(place);
        desired.set(place, one.desired);
        if (one.desired !== "discard" || was === "discard" || givenUp.has(one.name)) continue;
        if (was !== "stop") found.push(`${place} is to be discarded, and was to ${was ?? "be"}`);
      }
    }
    const now = new Set(
      hosts.flatMap(({ name, instances }) => instances.map((one) => `${keyOf(one)} on ${name}`)),
    );
    for (const place of before) {
      if (now.has(place) || desired.get(place) === "discard") continue;
      found.push(`${place} is gone, and nobody ordered that`);
    }
    before = now;
    return found;
  };
  return { invariant: "I4", look };
}
