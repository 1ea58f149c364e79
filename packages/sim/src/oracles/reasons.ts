import { check, type Plan, reconcile, type Snapshot } from "@evm/fleet";

/**
 * I8: whatever a leader would let wait has a reason, counts where the wait is for a host, and
 * nothing that is wanted is forgotten.
 */
export function unexplained(
  snapshot: Snapshot,
  plan: Plan = reconcile(snapshot),
): readonly string[] {
  const silent = plan.waiting
    .filter(({ reason, refusals }) => reason === "" || refusals.some(({ text }) => text === ""))
    .map(({ instance }) => `${instance} waits without a reason`);
  const breaches = check(snapshot, plan).map(({ invariant, text }) => `${invariant}: ${text}`);
  return [...silent, ...breaches];
}
