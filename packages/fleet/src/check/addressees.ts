import type { Violation } from "../plan.ts";
import type { HostChange } from "./after.ts";

/**
 * I2: what a machine was ordered is ordered to another of its name only once it would be lost and
 * that one is heard, and nothing is ordered to nobody.
 */
export function checkAddressees(changes: readonly HostChange[]): readonly Violation[] {
  return changes.flatMap(({ view, before, written }): Violation[] => {
    if (written === undefined) return [];
    const { agent, host } = written;
    if (agent === undefined) {
      return [{ invariant: "I2", text: `the orders of ${host} are for no machine` }];
    }
    if (before?.agent === undefined || before.agent === agent) return [];
    const text = `the orders of ${host} go from agent ${before.agent} to ${agent}`;
    if (view.successor === agent) return [];
    return [{ invariant: "I2", text: `${text}, while the first may be alive` }];
  });
}
