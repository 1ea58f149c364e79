import { SURGE_INDEX } from "../rollout.ts";
import type { FleetRecord } from "../snapshot.ts";
import { causeToEnd } from "./decide.ts";
import { type FleetWork, isReady, latestOf, type Work } from "./work.ts";

/**
 * Says how many extra instances each fleet has: no more than its policy bears, none begun for which
 * nothing is to be replaced or moved, and those that there are kept until all others are well.
 */
export function allowSurge({ fleets }: Work): void {
  for (const fleet of fleets.values()) {
    const { record } = fleet;
    if (record?.state !== "active" || record.spec.update.maxSurge === 0) continue;
    fleet.surge = surgeOf(fleet, record);
  }
}

function surgeOf(fleet: FleetWork, { spec }: FleetRecord): number {
  const { maxSurge } = spec.update;
  let toEnd = 0;
  let isWell = true;
  for (let index = 0; index < spec.replicas; index += 1) {
    const wish = fleet.wishes.get(index);
    if (wish?.isStopped === true) continue;
    const member = fleet.members.get(index);
    const entry = member && latestOf(member);
    const cause = entry && causeToEnd(entry, wish);
    // What is not ready, or is to be restarted, waits for no turn that an extra one could give.
    if (entry === undefined || !isReady(entry) || cause === "restart") isWell = false;
    else if (cause !== undefined) toEnd += 1;
  }
  if (isWell && toEnd === 0 && !fleet.isHeld) return 0;
  return Math.max(countExtras(fleet, maxSurge), Math.min(maxSurge, toEnd));
}

/** As many as reach to the last one that there is. */
function countExtras({ members }: FleetWork, maxSurge: number): number {
  let count = 0;
  for (let extra = 0; extra < maxSurge; extra += 1) {
    const member = members.get(SURGE_INDEX + extra);
    const latest = member && latestOf(member);
    const isOrdered = latest !== undefined && latest.desired !== "discard";
    // Orders that name it may have been lost.
    if (isOrdered || (member !== undefined && member.orphans.length > 0)) count = extra + 1;
  }
  return count;
}
