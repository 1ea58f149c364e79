import type { Claim, HostLoad } from "../host-load.ts";
import type { Digest } from "../ids.ts";
import { admits } from "../place.ts";
import type { Refusal } from "../plan.ts";
import type { PlaceRequest } from "../rule.ts";
import type { Cause } from "./decide.ts";
import type { Demands } from "./demands.ts";
import type { Entry, Work } from "./work.ts";

/** An incarnation that is ended, or is to be, so that its instance is made afresh. */
export type Ending = {
  readonly entry: Entry;
  readonly cause: Cause;
  /** What follows it. */
  readonly next: Next;
};

/** What an instance is to be made of afresh. */
export type Next = { readonly template: Digest; readonly request: PlaceRequest };

/**
 * Keeps room for what follows `entry`: that of `entry` itself, where it may stay in place, else
 * some elsewhere, which then nobody else gets in this pass. Reasons where there is none.
 */
export function reserve(
  { cluster }: Work,
  demands: Demands,
  { entry, cause, next: { request } }: Ending,
): readonly Refusal[] | undefined {
  const claim = demands.claimOf(entry);
  if (cause !== "move" && claim !== undefined && fitsInPlace(entry.host.load, request, claim)) {
    return undefined;
  }
  const elsewhere = cluster.find(request);
  if (elsewhere.kind === "wait") return elsewhere.refusals;
  cluster.claim(elsewhere.host, request, "all");
  return undefined;
}

/** True where the host would admit the request once `claim` is gone. */
export function fitsInPlace(load: HostLoad, request: PlaceRequest, claim: Claim): boolean {
  load.releaseRun(claim);
  load.releaseDisk(claim);
  const fits = admits(load, { ...request, entries: 0 });
  load.claimRun(claim);
  load.claimDisk(claim);
  return fits;
}
