import type { Demands } from "./demands.ts";
import { type Ending, reserve } from "./reserve.ts";
import type { SettledFleet } from "./settle-fleet.ts";
import { order, type Work, wait } from "./work.ts";

/** An instance that runs and is to be made afresh. */
export type Candidate = Ending & { readonly isAvailable: boolean };

/**
 * Stops instances that are to be replaced, restarted or moved, as many at once as the fleet's
 * update policy bears. Those that are not ready cost nothing, so they go first; a restart is one
 * instance that an operator named, so it waits for no turn. None is stopped that has nowhere to
 * go, and no room is counted on twice.
 */
export function endInTurn(work: Work, demands: Demands, fleet: SettledFleet): void {
  const { record, candidates } = fleet;
  if (candidates.length === 0) return;
  const request = demands.toPlace(record);
  const { maxUnavailable } = record.spec.update;
  let { unavailable } = fleet;
  const inTurn = [...candidates].sort((a, b) => Number(a.isAvailable) - Number(b.isAvailable));
  for (const candidate of inTurn) {
    const { entry, cause, isAvailable } = candidate;
    if (isAvailable && cause !== "restart" && unavailable >= maxUnavailable) {
      const state = `${unavailable} not ready, at most ${maxUnavailable} may be`;
      wait(work, entry.member, `waits for its turn to be ${DONE[cause]}: ${state}`);
      continue;
    }
    const refusals = reserve(work, demands, request, candidate);
    if (refusals !== undefined) {
      wait(work, entry.member, `runs on, as there is no room to ${cause} it`, refusals);
      continue;
    }
    order(work, entry, "stop", reasonToEnd(candidate));
    const which = `its incarnation ${entry.ordered.incarnation}`;
    wait(work, entry.member, `${which} is being stopped, to be ${DONE[cause]}`);
    if (isAvailable) unavailable += 1;
  }
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
