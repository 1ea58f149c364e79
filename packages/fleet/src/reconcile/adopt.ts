import {
  actionOn,
  addEntry,
  type FleetWork,
  isWanted,
  knownTemplate,
  latestOf,
  type Member,
  type Work,
} from "./work.ts";

/**
 * Orders the newest incarnation that a host reports, where it is newer than any that orders name:
 * these orders are from before it, or lost. So what runs is kept, not started a second time.
 */
export function adopt(work: Work): void {
  for (const fleet of work.fleets.values()) {
    for (const member of fleet.members.values()) {
      if (member.orphans.length > 0 && isWanted(member)) adoptNewest(work, fleet, member);
    }
  }
}

function adoptNewest(work: Work, fleet: FleetWork, member: Member): void {
  member.orphans.sort((a, b) => a.observed.incarnation - b.observed.incarnation);
  const newest = member.orphans.at(-1);
  if (newest === undefined || fleet.record === undefined || newest.host.isEstranged) return;
  const { host, observed } = newest;
  const { incarnation, template } = observed;
  if (incarnation <= (latestOf(member)?.ordered.incarnation ?? 0)) return;
  // Orders carry the templates that they name; of another one only the digest is known.
  if (knownTemplate(fleet, template) === undefined) return;
  member.orphans.pop();
  const entry = addEntry(member, host, { incarnation, template, desired: "run", observed });
  work.actions.push(actionOn(entry, "resume", "it was there, and not in the orders"));
}
