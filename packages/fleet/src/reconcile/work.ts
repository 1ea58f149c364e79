/**
 * What one pass works on: the snapshot, indexed, with the decisions made so far. It lives for one
 * pass only.
 */
import type { HostLoad } from "../host-load.ts";
import { type Digest, type FleetName, type InstanceName, instanceName } from "../ids.ts";
import { firstIncarnation } from "../life.ts";
import type { OrderedInstance, OrderedTemplate } from "../orders.ts";
import { isAlive } from "../phase.ts";
import type { Cluster } from "../place.ts";
import type { Action, Note, Waiting } from "../plan.ts";
import type { Observed } from "../report.ts";
import { presentTemplate, SURGE_INDEX } from "../rollout.ts";
import type { FleetRecord, HostView, InstanceWish, Snapshot } from "../snapshot.ts";

/** One line of one host's orders, as it is and as it shall be. */
export type Entry = {
  readonly host: HostWork;
  readonly member: Member;
  readonly ordered: OrderedInstance;
  /** This incarnation as the host reports it. */
  readonly observed: Observed | undefined;
  /** Absent for an entry that this pass adds. */
  readonly was: OrderedInstance["desired"] | undefined;
  /** `forgotten`: to be left out. */
  desired: OrderedInstance["desired"] | "forgotten";
};

export type HostWork = {
  readonly view: HostView;
  readonly load: HostLoad;
  /** It goes by orders that are not known here: nothing is ordered on it. See `recall`. */
  readonly isEstranged: boolean;
  /** True where the report was made under the orders as they are now. */
  readonly isCurrent: boolean;
  /** In the order of its orders; entries that this pass adds come last. */
  readonly entries: Entry[];
  readonly templates: ReadonlyMap<string, OrderedTemplate>;
};

/** An incarnation that a host reports and its orders do not name. */
export type Orphan = { readonly host: HostWork; readonly observed: Observed };

/** One instance, wanted or not, and everything that is known of it. */
export type Member = {
  readonly fleet: FleetWork;
  readonly index: number;
  /** Oldest incarnation first. */
  readonly entries: Entry[];
  readonly orphans: Orphan[];
};

export type FleetWork = {
  readonly name: FleetName;
  /** Absent for a fleet that orders or reports name although it was never declared, or is lost. */
  readonly record: FleetRecord | undefined;
  readonly wishes: ReadonlyMap<number, InstanceWish>;
  readonly members: Map<number, Member>;
  /** Its update is held: nothing is replaced, and what has to be made afresh is made as it was. */
  readonly isHeld: boolean;
  /** How many extra instances it has in this pass, numbered from `SURGE_INDEX`. */
  surge: number;
};

export type Work = {
  readonly snapshot: Snapshot;
  readonly cluster: Cluster;
  /** In the order of the snapshot. */
  readonly hosts: readonly HostWork[];
  /** Declared ones first, in the order of the snapshot. */
  readonly fleets: ReadonlyMap<FleetName, FleetWork>;
  readonly actions: Action[];
  readonly waiting: Waiting[];
  readonly notes: Note[];
  /** Records that this pass changes. */
  readonly records: FleetRecord[];
  /** See `Plan`. */
  readonly watched: Set<FleetName>;
};

export const nameOf = (member: Member): InstanceName =>
  member.entries[0]?.ordered.name ?? instanceName(member.fleet.name, member.index);

/** The newest entry, whatever is desired of it. */
export const latestOf = (member: Member): Entry | undefined =>
  member.entries.findLast((entry) => entry.desired !== "forgotten");

/** The highest incarnation ever ordered or seen; 0 where there is none. */
function highestIncarnation(member: Member): number {
  let highest = 0;
  for (const { ordered } of member.entries) highest = Math.max(highest, ordered.incarnation);
  for (const { observed } of member.orphans) highest = Math.max(highest, observed.incarnation);
  return highest;
}

/**
 * True where the host has applied the order to end this incarnation and reports that it has ended,
 * or is not there. It will not run again unless it is ordered to.
 */
export const isSettled = (entry: Entry): boolean =>
  entry.was !== undefined &&
  entry.was !== "run" &&
  entry.host.isCurrent &&
  (entry.observed === undefined || !isAlive(entry.observed.phase));

/**
 * True where the host has applied the order to discard this incarnation, and lists it no more.
 * Until then the order stands, however long the host is away.
 */
export const isGone = ({ was, host, observed }: Entry): boolean =>
  was === "discard" && host.isCurrent && observed === undefined;

/** True where the fleet is to have this instance, running or not. */
export const isWanted = ({ fleet: { record, surge }, index }: Member): boolean =>
  record?.state === "active" &&
  (index < record.spec.replicas || (index >= SURGE_INDEX && index < SURGE_INDEX + surge));

/** True where the host says so now. */
export const isReady = (entry: Entry): boolean =>
  entry.desired === "run" && entry.observed?.phase === "ready" && entry.host.view.liveness === "up";

/** A template of which more instances can be made: the one that is declared, or the one before. */
export function knownTemplate({ record }: FleetWork, digest: Digest): OrderedTemplate | undefined {
  if (record === undefined) return undefined;
  if (record.template === digest) return presentTemplate(record);
  const { previous } = record.rollout;
  return previous?.digest === digest ? previous : undefined;
}

/** The template of an entry, as orders or its fleet know it. */
export const templateOf = ({ host, member, ordered }: Entry): OrderedTemplate | undefined =>
  host.templates.get(ordered.template) ?? knownTemplate(member.fleet, ordered.template);

/**
 * Above every incarnation of the instance there ever was (I1), known or from before a restore, and
 * as high as was asked for.
 */
export function nextIncarnation({ snapshot }: Work, member: Member): number {
  const wish = member.fleet.wishes.get(member.index);
  const first = firstIncarnation(snapshot.epochBase);
  return Math.max(first, highestIncarnation(member) + 1, wish?.minIncarnation ?? 0);
}

/** Changes what is desired of an entry, and says so. */
export function order(
  work: Work,
  entry: Entry,
  desired: "stop" | "discard" | "forgotten",
  reason: string,
): void {
  if (entry.desired === desired) return;
  entry.desired = desired;
  work.actions.push(actionOn(entry, desired === "forgotten" ? "forget" : desired, reason));
}

export const actionOn = (
  { host, member, ordered }: Entry,
  kind: Action["kind"],
  reason: string,
  from?: HostWork,
): Action => ({
  kind,
  instance: ordered.name,
  fleet: member.fleet.name,
  incarnation: ordered.incarnation,
  host: host.view.name,
  from: from?.view.name,
  reason,
});

/** Adds an entry for an incarnation that is not in the host's orders yet. */
export function addEntry(
  member: Member,
  host: HostWork,
  details: {
    readonly incarnation: number;
    readonly template: OrderedInstance["template"];
    readonly desired: "run" | "discard";
    readonly observed: Observed | undefined;
  },
): Entry {
  const { incarnation, template, desired, observed } = details;
  const { fleet, index } = member;
  const name = nameOf(member);
  const ordered = { name, fleet: fleet.name, index, incarnation, template, desired };
  const entry: Entry = { host, member, ordered, observed, was: undefined, desired };
  host.entries.push(entry);
  member.entries.push(entry);
  member.entries.sort((a, b) => a.ordered.incarnation - b.ordered.incarnation);
  return entry;
}

/** Says that an instance has to wait, and why (I8). */
export function wait(
  work: Work,
  member: Member,
  reason: string,
  refusals: Waiting["refusals"] = [],
): void {
  work.waiting.push({ instance: nameOf(member), fleet: member.fleet.name, reason, refusals });
}
