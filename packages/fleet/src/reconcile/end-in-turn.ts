import type { Claim } from "../host-load.ts";
import { admits } from "../place.ts";
import type { Refusal } from "../plan.ts";
import type { PlaceRequest } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Cause } from "./decide.ts";
import type { Demands } from "./demands.ts";
import { type Entry, type Member, order, type Work, wait } from "./work.ts";

/** An instance that runs and is to be made afresh. */
export type Ending = {
  readonly member: Member;
  readonly entry: Entry;
  readonly cause: Cause;
  readonly isAvailable: boolean;
};

export type Endings = {
  readonly record: FleetRecord;
  readonly request: PlaceRequest;
  readonly demands: Demands;
  readonly endings: readonly Ending[];
  /** How many of the fleet's instances are not ready now. */
  readonly unavailable: number;
};

/**
 * Stops instances that are to be replaced, restarted or moved, as many at once as the fleet's
 * update policy bears. Those that are not ready cost nothing, so they go first; a restart is one
 * instance that an operator named, so it waits for no turn. None is stopped that has nowhere to go.
 */
export function endInTurn(work: Work, { record, endings, ...context }: Endings): void {
  const { request, demands } = context;
  const { maxUnavailable } = record.spec.update;
  let { unavailable } = context;
  const inTurn = [...endings].sort((a, b) => Number(a.isAvailable) - Number(b.isAvailable));
  for (const { member, entry, cause, isAvailable } of inTurn) {
    if (isAvailable && cause !== "restart" && unavailable >= maxUnavailable) {
      const state = `${unavailable} not ready, at most ${maxUnavailable} may be`;
      wait(work, member, `waits for its turn to be ${DONE[cause]}: ${state}`);
      continue;
    }
    const refusals = refusalsWithout(work, request, entry, cause, demands.claimOf(entry));
    if (refusals !== undefined) {
      wait(work, member, `runs on, as there is no room to ${cause} it`, refusals);
      continue;
    }
    order(work, entry, "stop", REASONS[cause](entry));
    const which = `its incarnation ${entry.ordered.incarnation}`;
    wait(work, member, `${which} is being stopped, to be ${DONE[cause]}`);
    if (isAvailable) unavailable += 1;
  }
}

const DONE = { replace: "replaced", restart: "restarted", move: "moved" } as const;

const REASONS: { readonly [Kind in Cause]: (entry: Entry) => string } = {
  replace: () => "its template changed",
  restart: () => "a restart was asked for",
  move: ({ host }) => `${host.view.name} is draining`,
};

/** Why a new incarnation would fit nowhere, once `entry` is gone; absent where it would fit. */
function refusalsWithout(
  work: Work,
  request: PlaceRequest,
  entry: Entry,
  cause: Cause,
  claim: Claim | undefined,
): readonly Refusal[] | undefined {
  const elsewhere = work.cluster.find(request);
  if (elsewhere.kind === "placed") return undefined;
  if (cause === "move" || claim === undefined) return elsewhere.refusals;
  const { load } = entry.host;
  load.releaseRun(claim);
  load.releaseDisk(claim);
  const fits = admits(load, { ...request, entries: 0 });
  load.claimRun(claim);
  load.claimDisk(claim);
  return fits ? undefined : elsewhere.refusals;
}
