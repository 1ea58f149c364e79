/** What placement asks of hosts: rules say which may be taken, scores which had better be. */
import type { Claim, HostLoad } from "./host-load.ts";
import type { FleetName } from "./ids.ts";
import type { Image } from "./image.ts";
import type { Placement, TemplateKind } from "./spec.ts";

/** What is to be placed. Equal for all instances of a fleet, so that one object serves them all. */
export type PlaceRequest = Claim & {
  /** How many entries it adds to the host's orders: none where it has one there already. */
  readonly entries: 0 | 1;
  /** True for an incarnation that runs again where its disk is: it is not new there. */
  readonly isResumed: boolean;
  readonly kind: TemplateKind;
  readonly image: Image | undefined;
  readonly placement: Placement;
  /** Fleets that must not share a host with this one, whichever of the two said so. */
  readonly apartFrom: ReadonlySet<FleetName>;
};

/** One thing that a host must meet. Both functions look at their arguments and at nothing else. */
export type Rule = {
  readonly name: string;
  readonly admits: (host: HostLoad, request: PlaceRequest) => boolean;
  /** What would make one of the hosts that it turned away (at least one) admit the request. */
  readonly explain: (refused: readonly HostLoad[], request: PlaceRequest) => string;
};

/** How the hosts are ranked that a request may go to: the greatest comes first. */
export type Ranking = (host: HostLoad) => number;

/** "h1, h2, h3 and 14 more": enough to go on with, however many there are. */
export function nameSome(names: readonly string[]): string {
  const shown = names.slice(0, 3);
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(", ") : `${shown.join(", ")} and ${rest} more`;
}

/** The item with the greatest value, the first of equals. */
export function greatest<Item>(
  items: readonly Item[],
  measure: (item: Item) => number,
): Item | undefined {
  let best: Item | undefined;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (const item of items) {
    const value = measure(item);
    if (best !== undefined && value <= bestValue) continue;
    best = item;
    bestValue = value;
  }
  return best;
}
