import type { Violation } from "../plan.ts";
import type { HostChange } from "./after.ts";

/**
 * I2: what a machine was ordered is ordered to another of its name only once the first is lost and
 * the other is heard, and nothing is ordered to nobody.
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
    if (view.liveness !== "lost") {
      return [{ invariant: "I2", text: `${text}, while the first may be alive` }];
    }
    return view.rival === agent ? [] : [{ invariant: "I2", text: `${text}, which is not heard` }];
  });
}
