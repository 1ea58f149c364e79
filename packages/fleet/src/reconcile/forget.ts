import { isGone, isWanted, latestOf, order, type Work } from "./work.ts";

/**
 * Leaves out the discards that are done. The newest entry of an instance that is wanted stays
 * until another follows it: it says where the count of incarnations stands, and without it an
 * older one in quarantine would seem to be the newest.
 */
export function forget(work: Work): void {
  for (const { entries } of work.hosts) {
    for (const entry of entries) {
      if (!isGone(entry)) continue;
      if (isWanted(entry.member) && latestOf(entry.member) === entry) continue;
      order(work, entry, "forgotten", "it is gone");
    }
  }
}
