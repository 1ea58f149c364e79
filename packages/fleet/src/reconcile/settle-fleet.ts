import type { Digest } from "../ids.ts";
import { isAlive } from "../phase.ts";
import { admits, explainRefusals } from "../place.ts";
import { hasFailed, presentTemplate, SURGE_INDEX } from "../rollout.ts";
import { nameSome } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Vacancy } from "./assign.ts";
import { causeToEnd, type Decision, decide, isOutdated, stillStopping } from "./decide.ts";
import type { Demands } from "./demands.ts";
import type { Candidate } from "./end-in-turn.ts";
import { type Failure, heldBecause, judgeRollout } from "./judge-rollout.ts";
import type { Ending, Next } from "./reserve.ts";
import { memberAt } from "./survey.ts";
import {
  actionOn,
  type Entry,
  type FleetWork,
  isReady,
  isSettled,
  knownTemplate,
  type Member,
  nameOf,
  nextIncarnation,
  order,
  templateOf,
  type Work,
  wait,
} from "./work.ts";

/** A fleet of which every instance has been looked at: what remains is a matter of room. */
export type SettledFleet = {
  readonly record: FleetRecord;
  /** Need a host. */
  readonly vacancies: readonly Vacancy[];
  /** Are being ended, and will need a host. */
  readonly endings: readonly Ending[];
  /** Run, and are to be ended when it is their turn. */
  readonly candidates: readonly Candidate[];
  /** How many more would have to be ready for all replicas to be; extra ones make up for others. */
  readonly unavailable: number;
};

/** Decides for every instance that a fleet wants. */
export function settleFleet(
  work: Work,
  demands: Demands,
  fleet: FleetWork,
  record: FleetRecord,
): SettledFleet {
  const settling: Settling = {
    work,
    demands,
    fleet,
    record,
    vacancies: [],
    endings: [],
    candidates: [],
    failed: [],
    failures: [],
    nexts: new Map(),
    outdated: 0,
  };
  let unready = 0;
  for (let index = 0; index < record.spec.replicas; index += 1) {
    if (settle(settling, index) === "not ready") unready += 1;
  }
  let readyExtras = 0;
  for (let extra = 0; extra < fleet.surge; extra += 1) {
    if (settle(settling, SURGE_INDEX + extra) === "ready") readyExtras += 1;
  }
  const { vacancies, endings, candidates, failed, failures, outdated } = settling;
  noteFailed(work, record, failed);
  const { update } = record.spec;
  const isUpdating = record.rollout.state.kind === "going" || update.maxSurge > 0;
  if (isUpdating || candidates.length > 0) work.watched.add(fleet.name);
  const isHalted = judgeRollout(work, record, { failures, unready, outdated });
  return {
    ...{ record, vacancies, endings },
    candidates: isHalted ? withoutReplacements(work, candidates) : candidates,
    unavailable: unready - readyExtras,
  };
}

type Settling = {
  readonly work: Work;
  readonly demands: Demands;
  readonly fleet: FleetWork;
  readonly record: FleetRecord;
  readonly vacancies: Vacancy[];
  readonly endings: Ending[];
  readonly candidates: Candidate[];
  /** Names of all that have failed, whatever their template. */
  readonly failed: string[];
  /** Those that count against the present template. */
  readonly failures: Failure[];
  /** By template, one object for all: placing goes by it what it knows already. */
  readonly nexts: Map<Digest, Next>;
  /** How many are ready, and of another template. */
  outdated: number;
};

/** Decides for one instance, and says how it stands. */
function settle(settling: Settling, index: number): "ready" | "not ready" | "resting" {
  const { work, demands, fleet, record } = settling;
  const member = memberAt(fleet, index);
  const decision = decide(member, fleet.wishes.get(index));
  const entry = "entry" in decision ? decision.entry : undefined;
  const isAvailable = entry !== undefined && isReady(entry);
  if (isAvailable && isOutdated(entry)) settling.outdated += 1;
  if (!isAvailable && decision.kind !== "rest") lookForFailure(settling, entry);
  switch (decision.kind) {
    case "keep":
      if (fleet.isHeld && isOutdated(decision.entry)) wait(work, member, heldBecause(record));
      break;
    case "rest":
      if (entry !== undefined) order(work, entry, "stop", "it was asked to stop");
      break;
    case "resume":
      resume(work, demands, record, decision.entry);
      break;
    case "end":
      settling.candidates.push({ ...decision, isAvailable, next: nextOf(settling, entry) });
      break;
    case "ending":
      settling.endings.push({ ...decision, next: nextOf(settling, entry) });
      wait(work, member, stillStopping(decision.entry));
      break;
    case "place":
      settling.vacancies.push(vacate(settling, member, decision));
      break;
    case "wait":
      wait(work, member, decision.reason);
      break;
  }
  if (decision.kind === "rest") return "resting";
  return isAvailable ? "ready" : "not ready";
}

function lookForFailure({ record, failed, failures }: Settling, entry: Entry | undefined): void {
  if (entry?.observed === undefined) return;
  const { observed, member, was, host } = entry;
  const name = nameOf(member);
  if (observed.phase === "failed") failed.push(name);
  const isRun = was === "run" && host.view.liveness === "up";
  const isKnown = record.rollout.knownFailures.includes(member.index);
  if (!isRun || isKnown || isOutdated(entry) || !hasFailed(observed)) return;
  failures.push({ name, reason: observed.reason });
}

/** What an instance is made of afresh: while its update is held, what it was made of before. */
function nextOf(settling: Settling, prior: Entry | undefined): Next {
  const { demands, fleet, record, nexts } = settling;
  const before = fleet.isHeld && prior !== undefined ? prior.ordered.template : record.template;
  const known = nexts.get(before);
  if (known !== undefined) return known;
  const template = knownTemplate(fleet, before) ?? presentTemplate(record);
  const next = { template: template.digest, request: demands.toPlace(record, template) };
  nexts.set(before, next);
  return next;
}

/** An update that is halted in this pass replaces nothing in this pass either. */
function withoutReplacements(work: Work, candidates: readonly Candidate[]): readonly Candidate[] {
  for (const { entry, cause } of candidates) {
    if (cause === "replace") wait(work, entry.member, "its update is being stopped");
  }
  return candidates.filter(({ cause }) => cause !== "replace");
}

/** Runs a stopped incarnation again, on the disk that it has, where its host has room for it. */
function resume(work: Work, demands: Demands, record: FleetRecord, entry: Entry): void {
  const { load } = entry.host;
  const request = demands.toResume(record, templateOf(entry) ?? presentTemplate(record));
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
function vacate(
  settling: Settling,
  member: Member,
  { prior, discard }: Extract<Decision, { kind: "place" }>,
): Vacancy {
  const wish = member.fleet.wishes.get(member.index);
  return {
    ...{ member, prior },
    cause: prior === undefined ? undefined : causeToEnd(prior, wish),
    discardsPrior: discard,
    incarnation: nextIncarnation(settling.work, member),
    next: nextOf(settling, prior),
  };
}

function noteFailed(work: Work, { spec }: FleetRecord, failed: readonly string[]): void {
  if (failed.length === 0) return;
  const verb = failed.length === 1 ? "has" : "have";
  const remedy = "restart them, or change the fleet";
  const text = `fleet ${spec.name}: ${nameSome(failed)} ${verb} failed; ${remedy}`;
  work.notes.push({ severity: "warning", text });
}
