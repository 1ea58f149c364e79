import { SURGE_INDEX } from "../rollout.ts";
import { nameSome } from "../rule.ts";
import { endInWaves, type GivenUp } from "./end-in-waves.ts";
import { type FleetWork, isWanted, order, type Work } from "./work.ts";

/**
 * Discards, on every host and in waves, what an operator gave up: the instances of deleted fleets,
 * those beyond a fleet's replicas, and the extra ones of an update that is over, as its policy
 * says. A fleet of which no record exists was not given up by anyone, so its instances are stopped,
 * and their disks kept (I4).
 */
export function retire(work: Work): void {
  const givenUp: GivenUp[] = [];
  for (const fleet of work.fleets.values()) {
    const { record } = fleet;
    if (record === undefined) {
      keepStopped(work, fleet);
    } else if (record.state === "deleting") {
      for (const member of fleet.members.values()) {
        givenUp.push({ member, reason: "its fleet is deleted" });
      }
    } else {
      const { replicas } = record.spec;
      for (const member of fleet.members.values()) {
        if (isWanted(member)) continue;
        const isExtra = member.index >= SURGE_INDEX;
        const reason = isExtra
          ? "the update needs no extra ones now"
          : `its fleet has ${replicas} replicas now`;
        givenUp.push({ member, reason });
      }
    }
  }
  for (const { member } of givenUp) work.watched.add(member.fleet.name);
  endInWaves(work, givenUp);
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
