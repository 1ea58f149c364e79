import { largest } from "../host-load.ts";
import { obstacle } from "./decide.ts";
import type { Demands } from "./demands.ts";
import { type Ending, fitsInPlace, reserve } from "./reserve.ts";
import type { SettledFleet } from "./settle-fleet.ts";
import { actionOn, addEntry, nextIncarnation, order, type Work, wait } from "./work.ts";

/** An instance that runs and is to be made afresh. */
export type Candidate = Ending & { readonly isAvailable: boolean };

/**
 * Ends instances that are to be replaced, restarted or moved, as many at once as the fleet's update
 * policy bears. Those that are not ready cost nothing, so they go first; but where a host has not
 * reported, as after the loss of all data, any may be ready. A restart is one instance that an
 * operator named, so it waits for no turn. None is ended that has nowhere to go, and no room is
 * counted on twice.
 */
export function endInTurn(work: Work, demands: Demands, fleet: SettledFleet): void {
  const { record, candidates } = fleet;
  if (candidates.length === 0) return;
  const { maxUnavailable } = record.spec.update;
  let { unavailable } = fleet;
  const inTurn = [...candidates].sort((a, b) => Number(a.isAvailable) - Number(b.isAvailable));
  for (const candidate of inTurn) {
    const { entry, cause, isAvailable } = candidate;
    const { view } = entry.host;
    if (view.report === undefined && cause !== "restart") {
      wait(work, entry.member, `runs on, as ${view.name} has not reported yet what is ready there`);
      continue;
    }
    if (isAvailable && cause !== "restart" && unavailable >= maxUnavailable) {
      const state = `${unavailable} not ready, at most ${maxUnavailable} may be`;
      wait(work, entry.member, `waits for its turn to be ${DONE[cause]}: ${state}`);
      continue;
    }
    const hasEnded = succeedInPlace(work, demands, candidate) || end(work, demands, candidate);
    if (hasEnded && isAvailable) unavailable += 1;
  }
}

/**
 * Where its own host would take the next incarnation, one document ends this one and begins that:
 * the agent removes the older before it prepares the newer, so no report is waited for between.
 */
function succeedInPlace(work: Work, demands: Demands, candidate: Candidate): boolean {
  const { entry, cause, next } = candidate;
  const { member, host } = entry;
  const claim = demands.claimOf(entry);
  // What was adopted only now is ordered first: `check` knows it by no orders yet.
  if (cause === "move" || entry.was === undefined || claim === undefined) return false;
  if (obstacle(member, entry) !== undefined) return false;
  if (!fitsInPlace(host.load, next.request, claim)) return false;
  order(work, entry, "discard", `to be made afresh: ${cause}`);
  host.load.releaseRun(claim);
  host.load.releaseDisk(claim);
  // Both are never there at once, see `countPromises`.
  work.cluster.claim(host.load, largest([next.request, claim]), "all");
  const incarnation = nextIncarnation(work, member);
  const details = { incarnation, template: next.template, desired: "run" } as const;
  const begun = addEntry(member, host, { ...details, observed: undefined });
  work.actions.push(actionOn(begun, cause, reasonToEnd(candidate), host));
  return true;
}

/** Stops it; the next incarnation gets a host once this one is reported to have stopped. */
function end(work: Work, demands: Demands, candidate: Candidate): boolean {
  const { entry, cause } = candidate;
  const blocked = obstacle(entry.member, entry);
  if (blocked !== undefined) {
    wait(work, entry.member, blocked);
    return false;
  }
  const refusals = reserve(work, demands, candidate);
  if (refusals !== undefined) {
    wait(work, entry.member, `runs on, as there is no room to ${cause} it`, refusals);
    return false;
  }
  order(work, entry, "stop", reasonToEnd(candidate));
  const which = `its incarnation ${entry.ordered.incarnation}`;
  wait(work, entry.member, `${which} is being stopped, to be ${DONE[cause]}`);
  return true;
}

const DONE = { replace: "replaced", restart: "restarted", move: "moved" } as const;

function reasonToEnd({ cause, entry }: Ending): string {
  switch (cause) {
    case "replace":
      return "its template changed";
    case "restart":
      return "a restart was asked for";
    case "move":
      return `${entry.host.view.name} is draining`;
  }
}
