import { latestOf, order, type Work } from "./work.ts";

/**
 * Stops every incarnation but the newest. It is kept, for its data may be wanted (I4): a host that
 * returns from being lost holds such ones, until their fleet is deleted or scaled down.
 */
export function supersede(work: Work): void {
  for (const fleet of work.fleets.values()) {
    if (fleet.record?.state !== "active") continue;
    for (const member of fleet.members.values()) {
      if (member.entries.length < 2) continue;
      const latest = latestOf(member);
      for (const entry of member.entries) {
        if (entry === latest || entry.desired !== "run" || latest === undefined) continue;
        order(work, entry, "stop", `incarnation ${latest.ordered.incarnation} follows it`);
      }
    }
  }
}
