import type { Demands } from "./demands.ts";
import { isGone, isSettled, type Work } from "./work.ts";

/**
 * Counts what is promised on every host (I3): CPU and memory until the host reports that the
 * incarnation has stopped, its disk until it is discarded. Promises that exist may exceed a
 * capacity that shrank; then nothing more is placed there.
 */
export function countPromises(work: Work, demands: Demands): void {
  for (const { load, entries } of work.hosts) {
    for (const entry of entries) {
      if (entry.desired === "forgotten") continue;
      load.entries += 1;
      const claim = demands.claimOf(entry);
      if (claim === undefined || isGone(entry)) continue;
      load.claimDisk(claim);
      if (!isSettled(entry)) load.claimRun(claim);
    }
  }
}
