/**
 * How much of what exists a change would disturb: counted instance by instance, with the planner's
 * own decision on each, before the change and after it. Linear in what exists, and exact, for what
 * is asked is whether an instance would be disturbed and not when, or whether there is room.
 */
import type { HostName } from "./ids.ts";
import { causeToEnd, decide } from "./reconcile/decide.ts";
import { survey } from "./reconcile/survey.ts";
import { isWanted, latestOf, type Member, type Work } from "./reconcile/work.ts";
import type { HostView, Snapshot } from "./snapshot.ts";

/** What may happen to an instance that exists; what is created disturbs nothing. */
export const DISTURBANCES = ["discard", "replace", "move", "restart", "stop"] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

export type BlastRadius = {
  readonly instances: number;
  /** Of so many that are ordered to run, or rest stopped with their disk. */
  readonly ofInstances: number;
  readonly hosts: number;
  readonly ofHosts: number;
  /** Only what happens to any. */
  readonly kinds: ReadonlyMap<Disturbance, number>;
};

/** From where on an operator has to name the number. */
export type BlastLimits = {
  /** Of all instances, or of all hosts. */
  readonly maxShare: number;
  /** Fewer than this are never too many, however few there are. */
  readonly minInstances: number;
};

/**
 * What `after` does to instances that `before` would not have done to them anyway.
 *
 * @param after the same cluster with other fleets, or with other states of its hosts
 */
export function blastRadius(before: Snapshot, after: Snapshot): BlastRadius {
  const workBefore = survey(asHeard(before));
  const kinds = new Map<Disturbance, number>();
  const hosts = new Set<HostName>();
  let instances = 0;
  let ofInstances = 0;
  for (const member of membersOf(survey(asHeard(after)))) {
    const entry = latestOf(member);
    if (entry === undefined || entry.desired === "discard") continue;
    ofInstances += 1;
    const now = disturbanceOf(member);
    const was = workBefore.fleets.get(member.fleet.name)?.members.get(member.index);
    if (now === undefined || (was !== undefined && disturbanceOf(was) === now)) continue;
    instances += 1;
    hosts.add(entry.host.view.name);
    kinds.set(now, (kinds.get(now) ?? 0) + 1);
  }
  return { instances, ofInstances, hosts: hosts.size, ofHosts: after.hosts.length, kinds };
}

/**
 * What is spared only while its host is not heard of is not spared: a coordinator that has just
 * started has heard of none.
 */
function asHeard(snapshot: Snapshot): Snapshot {
  const heard = (host: HostView): HostView =>
    host.liveness === "lost" ? host : { ...host, liveness: "up" };
  return { ...snapshot, hosts: snapshot.hosts.map(heard) };
}

function* membersOf({ fleets }: Work): Generator<Member> {
  for (const { members } of fleets.values()) yield* members.values();
}

function disturbanceOf(member: Member): Disturbance | undefined {
  const { record, wishes } = member.fleet;
  if (record === undefined) return "stop";
  if (!isWanted(member)) return "discard";
  const wish = wishes.get(member.index);
  const decision = decide(member, wish);
  switch (decision.kind) {
    case "keep":
    case "resume":
    case "wait":
      return undefined;
    case "rest":
      return decision.entry?.desired === "run" ? "stop" : undefined;
    case "end":
    case "ending":
      return decision.cause;
    case "place":
      return decision.prior && causeToEnd(decision.prior, wish);
  }
}

/** True where so much is to be disturbed that an operator has to name how much. */
export const needsConfirmation = (
  { instances, ofInstances, hosts, ofHosts }: BlastRadius,
  { maxShare, minInstances }: BlastLimits,
): boolean =>
  instances >= minInstances && (instances > maxShare * ofInstances || hosts > maxShare * ofHosts);

/** "replace 300 and discard 12 of 1000 instances on 20 of 50 hosts" */
export function describeBlastRadius(radius: BlastRadius): string {
  const { ofInstances, hosts, ofHosts, kinds } = radius;
  const parts = DISTURBANCES.flatMap((kind) => {
    const count = kinds.get(kind);
    return count === undefined ? [] : [`${kind} ${count}`];
  });
  return `${parts.join(" and ")} of ${ofInstances} instances on ${hosts} of ${ofHosts} hosts`;
}
