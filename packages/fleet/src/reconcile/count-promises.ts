import { type Claim, type HostLoad, largest } from "../host-load.ts";
import type { Demands } from "./demands.ts";
import { type Entry, isGone, isSettled, type Work } from "./work.ts";

/**
 * Counts what is promised on every host (I3): CPU and memory until the host reports that the
 * incarnation has stopped, its disk until it is discarded. Promises that exist may exceed a
 * capacity that shrank; then nothing more is placed there.
 *
 * What is discarded for the next incarnation of its instance on the same host counts with that one,
 * as the larger of the two: an agent never has both, for it prepares the one that it is to run only
 * when it has removed the older ones (`converge`).
 */
export function countPromises(work: Work, demands: Demands): void {
  for (const { load, entries } of work.hosts) {
    for (const entry of entries) {
      if (entry.desired === "forgotten") continue;
      load.entries += 1;
      const isAlone = entry.member.entries.length === 1;
      if (!isAlone && isFollowed(entry)) continue;
      const before = isAlone ? [] : entry.member.entries.filter((one) => isFollowedBy(one, entry));
      if (before.length > 0) countTogether(load, demands, [...before, entry]);
      else countOne(load, demands, entry);
    }
  }
}

function countOne(load: HostLoad, demands: Demands, entry: Entry): void {
  const claim = demands.claimOf(entry);
  if (claim === undefined || isGone(entry)) return;
  load.claimDisk(claim);
  if (!isSettled(entry)) load.claimRun(claim);
}

const isFollowed = (entry: Entry): boolean =>
  entry.member.entries.some((next) => isFollowedBy(entry, next));

/** True where `next` begins on the same host once `entry` is removed, or was to until stopped. */
const isFollowedBy = (entry: Entry, next: Entry): boolean =>
  entry.desired === "discard" &&
  (next.desired === "run" || next.desired === "stop") &&
  entry.host === next.host &&
  entry.ordered.incarnation < next.ordered.incarnation;

function countTogether(load: HostLoad, demands: Demands, entries: readonly Entry[]): void {
  const left = entries.filter((entry) => !isGone(entry));
  const claimsOf = (some: readonly Entry[]): readonly Claim[] =>
    some.flatMap((entry) => demands.claimOf(entry) ?? []);
  const [first, ...others] = claimsOf(left.filter((entry) => !isSettled(entry)));
  if (first !== undefined) load.claimRun(largest([first, ...others]));
  const [any, ...more] = claimsOf(left);
  if (any === undefined) return;
  const all = largest([any, ...more]);
  // Those that the host reports side by side lie there side by side, however that came.
  const existing = claimsOf(left.filter((entry) => entry.observed !== undefined));
  const existingMib = existing.reduce((sum, { resources }) => sum + resources.diskMib, 0);
  const diskMib = Math.max(all.resources.diskMib, existingMib);
  load.claimDisk({ ...all, resources: { ...all.resources, diskMib } });
}
