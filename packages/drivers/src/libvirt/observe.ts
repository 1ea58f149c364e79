/** From what libvirt says of a domain and what is noted on it, to what the agent is told. Pure. */
import type { Instant } from "@evm/fleet";
import type { DomainState, DomainStateReason } from "@evm/libvirt";
import type { DriverInstance } from "../driver.ts";
import { identityOf, type Marks, type Run } from "./marks.ts";

/** What was looked up for this pass, beside the domain's state. */
export type Seen = {
  readonly now: Instant;
  /** Whether the console of this run has shown the readiness text; of no meaning without one. */
  readonly isTextShown: boolean;
  readonly isDiskThere: boolean;
  readonly address: string | undefined;
};

export type Observation = {
  readonly instance: DriverInstance;
  /** What is to be noted from now on; the same object where nothing is new. */
  readonly run: Run | undefined;
};

/** True where the domain has a QEMU process. */
export const isUp = ({ state }: DomainState): boolean => state !== "shutoff" && state !== "crashed";

/** The run that a domain which is up is in: a new one where somebody else started it. */
export function currentRun(run: Run | undefined, now: Instant): Run {
  if (run !== undefined && run.end === undefined) return run;
  return { startedAt: now, isReady: false, end: undefined };
}

export function observe(marks: Marks, state: DomainState, seen: Seen): Observation {
  const up = isUp(state);
  const run = up ? upRun(marks, seen) : endedRun(marks.run, state);
  const base = {
    ...identityOf(marks),
    exit: undefined,
    reason: undefined,
    startedAt: run?.startedAt,
    address: undefined,
  };
  if (up) {
    const instance = {
      ...base,
      address: seen.address,
      ...shownWhileUp(marks, run, state, seen.now),
    };
    return { instance, run };
  }
  if (!seen.isDiskThere) {
    const reason = `its disk is not in ${marks.folder}`;
    return { instance: { ...base, state: "broken", reason }, run };
  }
  if (run?.end === undefined) return { instance: { ...base, state: "created" }, run };
  const { exit, reason } = run.end;
  const shown = { exit, reason: exit === "failure" ? reason : undefined };
  return { instance: { ...base, state: "exited", ...shown }, run };
}

function upRun(marks: Marks, seen: Seen): Run {
  const run = currentRun(marks.run, seen.now);
  const isReady = run.isReady || (marks.readiness !== undefined && seen.isTextShown);
  return isReady === run.isReady ? run : { ...run, isReady };
}

/**
 * The last run of a domain that is off, with how it ended. The first reason that was seen counts:
 * libvirtd forgets it when it restarts.
 */
export function endedRun(run: Run | undefined, state: DomainState): Run | undefined {
  if (run === undefined || run.end !== undefined) return run;
  const exit = state.state === "shutoff" && state.reason === "shutdown" ? "success" : "failure";
  return { ...run, end: { exit, reason: ENDS[state.reason] ?? `libvirt says: ${state.reason}` } };
}

const ENDS: { readonly [reason in DomainStateReason]?: string } = {
  shutdown: "the guest powered off",
  destroyed: "its power was cut",
  crashed: "QEMU ended unexpectedly, or the guest's kernel panicked",
  panicked: "the guest's kernel panicked",
  failed: "QEMU did not start",
  saved: "its memory was saved to disk",
  unknown: "it ended while nobody looked: the host or libvirtd was restarted",
};

/** In these libvirt, or whoever works with it, lets it go on soon: at every start, in a backup. */
const BRIEF_PAUSES: readonly DomainStateReason[] = [
  "starting-up",
  "shutting-down",
  "snapshot",
  "from-snapshot",
  "save",
  "dump",
  "migration",
  "postcopy",
];

function shownWhileUp(
  { readiness }: Marks,
  run: Run | undefined,
  state: DomainState,
  now: Instant,
): Pick<DriverInstance, "state" | "reason"> {
  if (state.state === "paused") {
    const isBrief = BRIEF_PAUSES.includes(state.reason);
    return { state: "running", reason: isBrief ? undefined : `paused: ${state.reason}` };
  }
  if (readiness === undefined || run?.isReady) return { state: "ready", reason: undefined };
  const isOverdue = run !== undefined && now > run.startedAt + readiness.timeoutMs;
  const text = JSON.stringify(readiness.text);
  const reason = `its console has not shown ${text} within ${readiness.timeoutMs} ms`;
  return { state: "running", reason: isOverdue ? reason : undefined };
}
