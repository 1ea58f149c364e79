import { isAlive } from "../phase.ts";
import { admits, explainRefusals } from "../place.ts";
import { nameSome } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Vacancy } from "./assign.ts";
import { causeToEnd, type Decision, decide, stillStopping } from "./decide.ts";
import type { Demands } from "./demands.ts";
import type { Candidate } from "./end-in-turn.ts";
import type { Ending } from "./reserve.ts";
import { memberAt } from "./survey.ts";
import {
  actionOn,
  type Entry,
  type FleetWork,
  highestIncarnation,
  isSettled,
  type Member,
  nameOf,
  order,
  type Work,
  wait,
} from "./work.ts";

/** A fleet of which every instance has been looked at: what remains is a matter of room. */
export type SettledFleet = {
  readonly record: FleetRecord;
  /** Need a host. By index: they all ask for the same. */
  readonly vacancies: readonly Vacancy[];
  /** Are being ended, and will need a host. */
  readonly endings: readonly Ending[];
  /** Run, and are to be ended when it is their turn. */
  readonly candidates: readonly Candidate[];
  /** How many of the fleet's instances are not ready now. */
  readonly unavailable: number;
};

/** Decides for every instance that a fleet wants. */
export function settleFleet(
  work: Work,
  demands: Demands,
  fleet: FleetWork,
  record: FleetRecord,
): SettledFleet {
  const vacancies: Vacancy[] = [];
  const endings: Ending[] = [];
  const candidates: Candidate[] = [];
  const failed: string[] = [];
  let unavailable = 0;
  for (let index = 0; index < record.spec.replicas; index += 1) {
    const member = memberAt(fleet, index);
    const decision = decide(member, fleet.wishes.get(index));
    const entry = "entry" in decision ? decision.entry : undefined;
    const isAvailable = entry !== undefined && isReady(entry);
    if (decision.kind !== "rest" && !isAvailable) unavailable += 1;
    if (entry?.observed?.phase === "failed") failed.push(nameOf(member));
    switch (decision.kind) {
      case "keep":
        break;
      case "rest":
        if (entry !== undefined) order(work, entry, "stop", "it was asked to stop");
        break;
      case "resume":
        resume(work, demands, record, decision.entry);
        break;
      case "end":
        candidates.push({ entry: decision.entry, cause: decision.cause, isAvailable });
        break;
      case "ending":
        endings.push(decision);
        wait(work, member, stillStopping(decision.entry));
        break;
      case "place":
        vacancies.push(vacate(member, decision));
        break;
      case "wait":
        wait(work, member, decision.reason);
        break;
    }
  }
  noteFailed(work, record, failed);
  return { record, vacancies, endings, candidates, unavailable };
}

const isReady = (entry: Entry): boolean =>
  entry.desired === "run" && entry.observed?.phase === "ready" && entry.host.view.liveness === "up";

/** Runs a stopped incarnation again, on the disk that it has, where its host has room for it. */
function resume(work: Work, demands: Demands, record: FleetRecord, entry: Entry): void {
  const { load } = entry.host;
  const request = demands.toResume(record);
  const { observed } = entry;
  // What runs still takes nothing that it had not taken. What had stopped, but not yet under these
  // orders, counts on its host; its room may have been given away before they were written.
  if (observed === undefined || !isAlive(observed.phase)) {
    const counted = isSettled(entry) ? undefined : demands.claimOf(entry);
    if (counted !== undefined) load.releaseRun(counted);
    const isAdmitted = admits(load, request);
    const refusals = isAdmitted ? [] : explainRefusals([load], request);
    if (counted !== undefined) load.claimRun(counted);
    else if (isAdmitted) work.cluster.claim(load, request, "run");
    if (!isAdmitted) {
      const reason = `its disk is on ${load.name}, which does not admit it`;
      wait(work, entry.member, reason, refusals);
      return;
    }
  }
  entry.desired = "run";
  work.actions.push(actionOn(entry, "resume", "it is wanted again"));
}

/** What the newest incarnation leaves behind, and what the next one is to be. */
function vacate(member: Member, { prior, discard }: Extract<Decision, { kind: "place" }>): Vacancy {
  const wish = member.fleet.wishes.get(member.index);
  const cause = prior === undefined ? undefined : causeToEnd(prior, wish);
  return {
    member,
    prior,
    cause,
    discardsPrior: discard,
    incarnation: Math.max(highestIncarnation(member) + 1, wish?.minIncarnation ?? 1),
  };
}

function noteFailed(work: Work, { spec }: FleetRecord, failed: readonly string[]): void {
  if (failed.length === 0) return;
  const verb = failed.length === 1 ? "has" : "have";
  const remedy = "restart them, or change the fleet";
  const text = `fleet ${spec.name}: ${nameSome(failed)} ${verb} failed; ${remedy}`;
  work.notes.push({ severity: "warning", text });
}
