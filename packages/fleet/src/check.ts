/**
 * A second opinion on a plan, before it is committed: it compares what was ordered with what would
 * be, knowing the invariants and nothing of how the planner works. It shares no code with it, so
 * that one mistake cannot hide in both.
 */
import { checkAddressees } from "./check/addressees.ts";
import { changesOf } from "./check/after.ts";
import { checkCapacity } from "./check/capacity.ts";
import { checkDiscards } from "./check/discards.ts";
import { checkPrecedence } from "./check/precedence.ts";
import { checkReasons } from "./check/reasons.ts";
import { checkRollouts } from "./check/rollouts.ts";
import { checkSingleRun } from "./check/single-run.ts";
import { checkSuccession } from "./check/succession.ts";
import type { Plan, Violation } from "./plan.ts";
import type { Snapshot } from "./snapshot.ts";

/** What `plan` would break of I1 to I6 and I8. A plan with violations is not committed. */
export function check(snapshot: Snapshot, plan: Plan): readonly Violation[] {
  const changes = changesOf(snapshot, plan);
  const isDeposed = changes.some(({ before }) => (before?.epoch ?? 0) > snapshot.epoch);
  return [
    ...checkSingleRun(changes),
    ...checkPrecedence(changes),
    ...checkAddressees(changes),
    ...checkCapacity(changes, snapshot.overcommit),
    ...checkDiscards(snapshot, changes),
    ...checkSuccession(snapshot, plan),
    ...checkRollouts(snapshot, plan, changes),
    // A leader that is none any more, or has forgotten, plans nothing and explains only that.
    ...(isDeposed || isSilent(snapshot, plan) ? [] : checkReasons(snapshot, plan, changes)),
  ];
}

/** Some host goes by later orders than are known, and the plan keeps its hands off everything. */
function isSilent({ epoch, hosts }: Snapshot, plan: Plan): boolean {
  if (plan.orders.length + plan.fleets.length + plan.forgottenFleets.length > 0) return false;
  return hosts.some(({ report, heartbeat, orders }) =>
    [report, heartbeat].some(
      (one) =>
        one !== undefined && (one.epoch > epoch || one.generation > (orders?.generation ?? 0)),
    ),
  );
}
