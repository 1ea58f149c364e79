/** Why an instance is where it is: what placement says of it now, its own promise taken out. */
import type { HostLoad } from "./host-load.ts";
import type { FleetName } from "./ids.ts";
import { admits, explainRefusals, scoreOf } from "./place.ts";
import type { Refusal } from "./plan.ts";
import { countPromises } from "./reconcile/count-promises.ts";
import { Demands } from "./reconcile/demands.ts";
import { survey } from "./reconcile/survey.ts";
import { presentTemplate } from "./rollout.ts";
import type { PlaceRequest } from "./rule.ts";
import { imageHere } from "./scores/image-here.ts";
import type { Snapshot } from "./snapshot.ts";

export type PlaceExplanation = {
  /** How its host compares with the others, as a sentence. */
  readonly text: string;
  /** What turns the hosts away that do not admit it. */
  readonly refusals: readonly Refusal[];
};

/** Undefined for an instance that is not wanted, or not ordered to run. */
export function explainPlace(
  snapshot: Snapshot,
  { fleet: name, index }: { readonly fleet: FleetName; readonly index: number },
): PlaceExplanation | undefined {
  const work = survey(snapshot);
  const fleet = work.fleets.get(name);
  const entry = fleet?.members.get(index)?.entries.findLast((one) => one.desired === "run");
  if (fleet?.record === undefined || entry === undefined) return undefined;
  const demands = new Demands(work);
  countPromises(work, demands);
  const { load } = entry.host;
  const claim = demands.claimOf(entry);
  if (claim !== undefined) {
    load.releaseRun(claim);
    load.releaseDisk(claim);
  }
  load.entries -= 1;
  const request = demands.toPlace(fleet.record, presentTemplate(fleet.record));
  const { hosts } = work.cluster;
  const admitting = hosts.filter((host) => admits(host, request));
  const refusing = hosts.filter((host) => !admits(host, request));
  return {
    text: compare(load, admitting, request),
    refusals: refusing.length === 0 ? [] : explainRefusals(refusing, request),
  };
}

function compare(own: HostLoad, admitting: readonly HostLoad[], request: PlaceRequest): string {
  const ranked = admitting.toSorted((a, b) => scoreOf(b, request) - scoreOf(a, request));
  const worth = (host: HostLoad): string => describeScore(host, request);
  if (!ranked.includes(own)) {
    const [refusal] = explainRefusals([own], request);
    return `${own.name} would not take it now (${refusal?.text}), but it stays where it is`;
  }
  const best = ranked.find((host) => host !== own);
  if (best === undefined) return `${own.name} is the only host that takes it`;
  if (scoreOf(own, request) >= scoreOf(best, request)) {
    const others = `of ${ranked.length} hosts that take it`;
    return `${own.name} is the best ${others}: ${worth(own)}; the next: ${worth(best)}`;
  }
  const better = `${best.name} would be the better host now: ${worth(best)}; here: ${worth(own)}`;
  return `${better}; what runs is not moved for that`;
}

/** "spread gives 0.72, its image 0.10" */
function describeScore(host: HostLoad, request: PlaceRequest): string {
  const bonus = imageHere(host, request);
  const rank = (scoreOf(host, request) - bonus).toFixed(2);
  const image = bonus === 0 ? "" : `, the image that is there ${bonus.toFixed(2)}`;
  return `${request.placement.strategy} gives ${host.name} ${rank}${image}`;
}
