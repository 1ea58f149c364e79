import { order, type Work } from "./work.ts";

/**
 * Leaves out the discards that are done: the host has applied the order, and no longer lists the
 * incarnation. Until then the order stands, however long the host is away.
 */
export function forget(work: Work): void {
  for (const { isCurrent, entries } of work.hosts) {
    if (!isCurrent) continue;
    for (const entry of entries) {
      if (entry.was !== "discard" || entry.observed !== undefined) continue;
      order(work, entry, "forgotten", "it is gone");
    }
  }
}
