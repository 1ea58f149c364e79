/**
 * Whether so many hosts vanished at once that it is EVM itself that is likely to be cut off.
 *
 * A host that dies alone is healed. When a switch or a cable between racks dies, every host behind
 * it falls silent though all of them run on: to start their instances once more would double them,
 * and crush the hosts that are left. So above a share of the hosts none is called lost.
 *
 * Their leases end within a second or more of each other, for each is counted from the host's own
 * last heartbeat. A pass that counted only those that are overdue would give the first few away,
 * below the share, and never see the whole. So a host counts as soon as it has been silent for half
 * a lease: when the first becomes overdue, all count that fell silent within half a lease of it.
 *
 * The decision remembers nothing. A host that was lost before, and whose instances are elsewhere by
 * now, has nothing at stake and does not count; nor does one that was drained, nor one of which an
 * operator has confirmed that it is lost.
 */
import type { HostName, InstanceName } from "./ids.ts";
import { isDrained } from "./maintenance.ts";
import type { OrderedInstance } from "./orders.ts";
import type { FleetRecord, HostView } from "./snapshot.ts";

/** What a host's heartbeats alone say. */
export type HostSign =
  /** Heard of. */
  | "up"
  /** Silent for more than half a lease, which may still run. */
  | "quiet"
  /** Not listened for long enough to tell. */
  | "unknown"
  /** Silent for longer than a lease can run; not for the one who says so to call it lost. */
  | "overdue"
  | "lost";

export type HostSigns = {
  /** Its liveness is not looked at. */
  readonly view: HostView;
  readonly sign: HostSign;
  /** An operator says that it is lost. */
  readonly isConfirmedLost: boolean;
};

export type Brake = {
  /** Hosts that are silent, with something at stake. */
  readonly silent: number;
  /** These, and those that are heard. */
  readonly known: number;
  /** So many silent ones would not be too many. */
  readonly most: number;
  /** Hosts that are overdue, and not called lost. */
  readonly held: ReadonlySet<HostName>;
};

/** One host is always let go: a share of few hosts would be less. */
const ALWAYS_ALLOWED = 1;
/** So that 0.29 of 100 is 29, though not in binary. */
const ROUNDING = 1e-9;

/**
 * Undefined where nothing keeps hosts from being called lost.
 *
 * @param maxLostShare of the hosts that are heard and those that count as silent; 1: any number
 */
export function brake(
  fleets: readonly FleetRecord[],
  hosts: readonly HostSigns[],
  maxLostShare: number,
): Brake | undefined {
  const suspects = hosts.filter(isSuspect);
  const heard = hosts.filter(({ sign }) => sign === "up").length;
  const mostOf = (known: number) =>
    Math.max(ALWAYS_ALLOWED, Math.floor(maxLostShare * known + ROUNDING));
  // What is at stake takes a look at every order: not while even all of them would not be too many.
  if (suspects.length <= mostOf(heard + suspects.length)) return undefined;
  const stakes = hostsWithStakes(fleets, hosts);
  const silent = suspects.filter(({ view }) => stakes.has(view.name)).length;
  const known = heard + silent;
  const most = mostOf(known);
  const held = suspects.filter(({ sign, view }) => isOverdue(sign) && isHeld(view, stakes));
  if (silent <= most || held.length === 0) return undefined;
  return { silent, known, most, held: new Set(held.map(({ view }) => view.name)) };
}

const isOverdue = (sign: HostSign): boolean => sign === "overdue" || sign === "lost";

const isSuspect = ({ sign, view, isConfirmedLost }: HostSigns): boolean =>
  (sign === "quiet" || isOverdue(sign)) && !isConfirmedLost && !isDrained(view);

/** One that has orders, and nothing at stake, was lost before: that stays so. */
const isHeld = ({ name, orders }: HostView, stakes: ReadonlySet<HostName>): boolean =>
  stakes.has(name) || orders === undefined || orders.instances.length === 0;

/** Hosts that are to run something, or hold what a loss would have started elsewhere. */
function hostsWithStakes(
  fleets: readonly FleetRecord[],
  hosts: readonly HostSigns[],
): ReadonlySet<HostName> {
  const records = new Map(fleets.map((fleet) => [fleet.spec.name, fleet]));
  const newest = new Map<InstanceName, number>();
  for (const { view } of hosts) {
    for (const { name, incarnation } of view.orders?.instances ?? []) {
      if (incarnation > (newest.get(name) ?? 0)) newest.set(name, incarnation);
    }
  }
  const isAtStake = (one: OrderedInstance): boolean =>
    one.desired === "run" ||
    (one.incarnation === newest.get(one.name) && isWanted(records.get(one.fleet), one.index));
  const holding = hosts.filter(({ view }) => view.orders?.instances.some(isAtStake) === true);
  return new Set(holding.map(({ view }) => view.name));
}

const isWanted = (fleet: FleetRecord | undefined, index: number): boolean =>
  fleet?.state === "active" &&
  index < fleet.spec.replicas &&
  fleet.wishes.find((wish) => wish.index === index)?.isStopped !== true;

/** "20 of 50 hosts are silent at once, more than 15" */
export const describeBrake = ({ silent, known, most }: Brake): string =>
  `${silent} of ${known} hosts are silent at once, more than ${most}`;
