import type { InstanceName } from "../ids.ts";
import { instanceName } from "../ids.ts";
import type { Plan, Violation } from "../plan.ts";
import type { Snapshot } from "../snapshot.ts";
import type { HostChange } from "./after.ts";

/**
 * I8: every instance that its fleet wants to run is ordered to, on a host that is not lost, or is
 * said to wait, with a reason; what is counted per rule says what would help.
 */
export function checkReasons(
  snapshot: Snapshot,
  plan: Plan,
  changes: readonly HostChange[],
): readonly Violation[] {
  const violations: Violation[] = [];
  const accountedFor = new Set<InstanceName>();
  for (const { instance, reason, refusals } of plan.waiting) {
    accountedFor.add(instance);
    if (reason === "" || refusals.some((one) => one.rule === "" || one.text === "")) {
      violations.push({ invariant: "I8", text: `${instance} waits, and it is not said why` });
    }
  }
  for (const { view, after } of changes) {
    if (view.liveness === "lost") continue;
    for (const { name, desired } of after?.instances ?? []) {
      if (desired === "run") accountedFor.add(name);
    }
  }
  for (const { spec, state, wishes } of snapshot.fleets) {
    if (state !== "active") continue;
    const resting = new Set(wishes.filter((wish) => wish.isStopped).map((wish) => wish.index));
    for (let index = 0; index < spec.replicas; index += 1) {
      const name = instanceName(spec.name, index);
      if (resting.has(index) || accountedFor.has(name)) continue;
      violations.push({ invariant: "I8", text: `${name} neither runs nor is said to wait` });
    }
  }
  return violations;
}
