/** What one wanted instance needs, from its newest entry and the state of that entry's host. */
import { isAlive } from "../phase.ts";
import type { HostView, InstanceWish } from "../snapshot.ts";
import { type Entry, isSettled, latestOf, type Member, type Orphan } from "./work.ts";

/** Why an instance is ended where it is, to be made afresh. */
export type Cause = "replace" | "restart" | "move";

export type Decision =
  /** It runs, or is about to, where it shall. */
  | { readonly kind: "keep"; readonly entry: Entry }
  /** It is wished to be stopped; there may be nothing to stop. */
  | { readonly kind: "rest"; readonly entry: Entry | undefined }
  | { readonly kind: "resume"; readonly entry: Entry }
  /** It runs, and is to be ended for a new incarnation when it is its turn. */
  | { readonly kind: "end"; readonly entry: Entry; readonly cause: Cause }
  /** It is being ended for a new incarnation, and its host has not reported that it has. */
  | { readonly kind: "ending"; readonly entry: Entry; readonly cause: Cause }
  /** A new incarnation is needed; `prior` is what it follows, `discard` whether that can go. */
  | { readonly kind: "place"; readonly prior: Entry | undefined; readonly discard: boolean }
  | { readonly kind: "wait"; readonly reason: string };

/** Decides for an instance that its fleet wants. Only the newest entry matters; see `supersede`. */
export function decide(member: Member, wish: InstanceWish | undefined): Decision {
  const latest = latestOf(member);
  if (wish?.isStopped === true) {
    return { kind: "rest", entry: latest?.desired === "discard" ? undefined : latest };
  }
  if (latest === undefined || latest.desired === "discard") return place(member, latest, false);
  const { view } = latest.host;
  switch (view.liveness) {
    case "lost":
      return member.fleet.record?.spec.onHostLoss === "wait"
        ? { kind: "wait", reason: `${view.name} is lost, and its fleet is to wait for it` }
        : place(member, latest, false);
    case "unknown":
    case "silent":
      return latest.desired === "run"
        ? { kind: "keep", entry: latest }
        : { kind: "wait", reason: notHeard(view) };
    case "up":
      return decideOnLiveHost(member, latest, wish);
  }
}

const notHeard = ({ name, liveness }: HostView): string =>
  liveness === "silent"
    ? `${name} is silent, and so are too many others to call it lost`
    : `${name} has not been heard of yet`;

function decideOnLiveHost(member: Member, entry: Entry, wish: InstanceWish | undefined): Decision {
  const cause = causeToEnd(entry, wish);
  if (cause === undefined) {
    if (entry.desired === "run") return { kind: "keep", entry };
    const reason = obstacle(member, entry);
    return reason === undefined ? { kind: "resume", entry } : { kind: "wait", reason };
  }
  if (entry.desired === "run") {
    if (cause === "move" && hasEnded(entry)) return { kind: "keep", entry };
    return { kind: "end", entry, cause };
  }
  if (isSettled(entry)) return place(member, entry, true);
  return { kind: "ending", entry, cause };
}

/**
 * True where its agent leaves it at that: it has failed, or done what it was for. It stays to be
 * looked at where it is; only a change of its template or a restart that is asked for ends that.
 */
function hasEnded({ observed, member }: Entry): boolean {
  if (observed?.phase === "failed") return true;
  const mode = member.fleet.record?.spec.restart.mode;
  return observed?.phase === "stopped" && observed.exit === "success" && mode !== "always";
}

/** True where it is of another template than its fleet declares. */
export const isOutdated = ({ ordered, member }: Entry): boolean =>
  ordered.template !== member.fleet.record?.template;

/** Why this incarnation shall not stay as it is, where it is; absent where it may. */
export function causeToEnd(entry: Entry, wish: InstanceWish | undefined): Cause | undefined {
  // Asked for by name, so it comes before what concerns the whole fleet: it waits for no turn.
  if (entry.ordered.incarnation < (wish?.minIncarnation ?? 0)) return "restart";
  if (isOutdated(entry) && !entry.member.fleet.isHeld) return "replace";
  const { liveness, admin } = entry.host.view;
  return liveness === "lost" || admin === "draining" ? "move" : undefined;
}

function place(member: Member, prior: Entry | undefined, discard: boolean): Decision {
  const reason = obstacle(member);
  return reason === undefined ? { kind: "place", prior, discard } : { kind: "wait", reason };
}

/**
 * What an incarnation that is to begin, or to go on, waits for: every earlier one has ended,
 * ordered or not, or its host is lost.
 *
 * @param except the one that is to go on, or that is ended by the same orders that begin the new
 * one: agents end what is older on their host by themselves
 */
export function obstacle(member: Member, except?: Entry): string | undefined {
  const blocking = member.entries.find(
    (entry) =>
      entry.host !== except?.host &&
      entry.desired !== "forgotten" &&
      entry.host.view.liveness !== "lost" &&
      !isSettled(entry),
  );
  if (blocking !== undefined) return stillStopping(blocking);
  const stray = member.orphans.find((orphan) => isInTheWay(member, orphan));
  if (stray !== undefined) {
    const { host, observed } = stray;
    if (host.isEstranged) return estrangedReason(stray);
    const what = `its incarnation ${observed.incarnation}, which nobody ordered`;
    return `${what}, is still to be stopped on ${host.view.name}`;
  }
  return undefined;
}

/** True where it may run, or its fleet is to wait for it. */
function isInTheWay({ fleet }: Member, { host, observed }: Orphan): boolean {
  const isLost = host.view.liveness === "lost";
  if (!host.isEstranged) return !isLost && isAlive(observed.phase);
  // What its orders say of it is not known: it may be begun at any time.
  return !isLost || fleet.record?.spec.onHostLoss === "wait";
}

const estrangedReason = ({ host, observed }: Orphan): string =>
  `its incarnation ${observed.incarnation} is on ${host.view.name}, which is estranged: ` +
  "run evm restore";

/** Why what follows an incarnation has to wait for it. */
export const stillStopping = ({ ordered, host }: Entry): string =>
  `its incarnation ${ordered.incarnation} is still to be stopped on ${host.view.name}`;
