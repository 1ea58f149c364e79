import type { HostLoad } from "../host-load.ts";
import type { FleetName } from "../ids.ts";
import { Cluster } from "../place.ts";
import { recall } from "../recall.ts";
import type { Observed } from "../report.ts";
import type { FleetRecord, HostView, Snapshot } from "../snapshot.ts";
import type { FleetWork, HostWork, Member, Work } from "./work.ts";

type MemberOf = (fleet: FleetName, index: number) => Member;

/** Indexes the snapshot. Linear in the number of entries and observations; decides nothing. */
export function survey(snapshot: Snapshot): Work {
  const memory = recall(snapshot);
  const estranged = memory.kind === "whole" ? memory.estranged : new Set(memory.hosts);
  const cluster = new Cluster(snapshot.hosts, snapshot.overcommit, estranged);
  const fleets = new Map(
    snapshot.fleets.map((record) => [record.spec.name, fleetWork(record.spec.name, record)]),
  );
  const memberOf: MemberOf = (name, index) => {
    let fleet = fleets.get(name);
    if (fleet === undefined) {
      fleet = fleetWork(name, undefined);
      fleets.set(name, fleet);
    }
    return memberAt(fleet, index);
  };
  const hosts: HostWork[] = [];
  for (const [at, view] of snapshot.hosts.entries()) {
    const load = cluster.hosts[at];
    if (load === undefined) continue;
    hosts.push(surveyHost(view, load, estranged.has(view.name), memberOf));
  }
  for (const { members } of fleets.values()) {
    for (const { entries } of members.values()) {
      if (entries.length < 2) continue;
      entries.sort((a, b) => a.ordered.incarnation - b.ordered.incarnation);
    }
  }
  return {
    ...{ snapshot, cluster, hosts, fleets },
    ...{ actions: [], waiting: [], notes: [], records: [], watched: new Set() },
  };
}

function surveyHost(
  view: HostView,
  load: HostLoad,
  isEstranged: boolean,
  memberOf: MemberOf,
): HostWork {
  const { orders, report } = view;
  const isCurrent = report !== undefined && report.generation === (orders?.generation ?? 0);
  const templates = new Map(orders?.templates.map((template) => [template.digest, template]));
  const host: HostWork = { view, load, isEstranged, isCurrent, entries: [], templates };
  for (const observed of report?.instances ?? []) {
    memberOf(observed.fleet, observed.index).orphans.push({ host, observed });
  }
  for (const ordered of orders?.instances ?? []) {
    const member = memberOf(ordered.fleet, ordered.index);
    const observed = takeObserved(member, host, ordered.incarnation);
    const { desired } = ordered;
    const entry = { host, member, ordered, observed, was: desired, desired };
    host.entries.push(entry);
    member.entries.push(entry);
  }
  return host;
}

/** An observation that orders account for is no orphan. */
function takeObserved(member: Member, host: HostWork, incarnation: number): Observed | undefined {
  const { orphans } = member;
  const at = orphans.findIndex(
    (orphan) => orphan.host === host && orphan.observed.incarnation === incarnation,
  );
  return at < 0 ? undefined : orphans.splice(at, 1)[0]?.observed;
}

function fleetWork(name: FleetName, record: FleetRecord | undefined): FleetWork {
  const wishes = new Map(record?.wishes.map((wish) => [wish.index, wish]));
  const state = record?.rollout.state.kind;
  return {
    name,
    record,
    wishes,
    members: new Map(),
    isHeld: state === "paused" || state === "halted",
    surge: 0,
  };
}

/** The member of `fleet` at `index`, made where it is not known yet. */
export function memberAt(fleet: FleetWork, index: number): Member {
  const known = fleet.members.get(index);
  if (known !== undefined) return known;
  const member: Member = { fleet, index, entries: [], orphans: [] };
  fleet.members.set(index, member);
  return member;
}
