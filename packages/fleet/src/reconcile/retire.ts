import { nameSome } from "../rule.ts";
import { actionOn, addEntry, type FleetWork, type Member, order, type Work } from "./work.ts";

/**
 * Discards, on every host, what an operator gave up: the instances of deleted fleets, and those
 * beyond a fleet's replicas. A fleet of which no record exists was not given up by anyone, so its
 * instances are stopped, and their disks kept (I4).
 */
export function retire(work: Work): void {
  for (const fleet of work.fleets.values()) {
    const { record } = fleet;
    if (record === undefined) {
      keepStopped(work, fleet);
    } else if (record.state === "deleting") {
      for (const member of fleet.members.values()) discard(work, member, "its fleet is deleted");
    } else {
      const { replicas } = record.spec;
      for (const member of fleet.members.values()) {
        if (member.index < replicas) continue;
        discard(work, member, `its fleet has ${replicas} replicas now`);
      }
    }
  }
}

function discard(work: Work, member: Member, reason: string): void {
  for (const entry of member.entries) {
    if (entry.desired !== "forgotten") order(work, entry, "discard", reason);
  }
  const template = member.fleet.record?.template;
  if (template === undefined) return;
  for (const { host, observed } of member.orphans) {
    if (host.isEstranged) continue;
    const { incarnation } = observed;
    const entry = addEntry(member, host, { incarnation, template, desired: "discard", observed });
    work.actions.push(actionOn(entry, "discard", reason));
  }
  member.orphans.length = 0;
}

function keepStopped(work: Work, fleet: FleetWork): void {
  const kept: string[] = [];
  for (const { entries, orphans } of fleet.members.values()) {
    for (const entry of entries) {
      if (entry.desired === "run") order(work, entry, "stop", "no fleet of this name is declared");
      if (entry.desired === "stop") kept.push(`${entry.ordered.name} on ${entry.host.view.name}`);
    }
    for (const { host, observed } of orphans.filter((one) => !one.host.isEstranged))
      kept.push(`${observed.name} on ${host.view.name}`);
  }
  if (kept.length === 0) return;
  work.notes.push({
    severity: "warning",
    text: `no fleet ${fleet.name} is declared; its instances are kept stopped: ${nameSome(kept)}`,
  });
}
