import {
  type Digest,
  type FleetRecord,
  type HostName,
  type HostRecord,
  type InstanceName,
  instanceName,
  type Resources,
  SURGE_INDEX,
  type Waiting,
} from "@evm/fleet";
import { sum } from "./capacity.ts";
import {
  type HostTruth,
  isEstranged,
  isUp,
  keyOf,
  NOWHERE,
  type Places,
  type Truth,
} from "./truth.ts";

/**
 * I7: what is not yet as declared: every instance that is wanted is ready where it may be, or
 * waits for a reason that is true; what is not wanted does not run; what was given up is gone; what
 * hosts go by is known.
 *
 * @param waiting what the leader says of those that wait
 * @param failing templates that do not work: nothing is expected of what is made of them
 */
export function unsettled(
  truth: Truth,
  waiting: readonly Waiting[],
  failing: ReadonlySet<Digest>,
): readonly string[] {
  const found: string[] = [];
  for (const { value: fleet } of truth.control.fleets.values()) {
    if (fleet.state === "deleting") found.push(`fleet ${fleet.spec.name} is still there`);
    else if (!failing.has(fleet.template)) {
      found.push(...unsettledOf(fleet, { truth, waiting, failing }));
    }
  }
  if (truth.left !== undefined) found.push("the control state is lost");
  for (const there of truth.hosts.values()) {
    const { name: host, instances, excuses } = there;
    if (isEstranged(there, truth)) found.push(`${host} is estranged`);
    for (const one of instances) {
      // Once its driver left it out, it counted as discarded; found again, it is kept (I4).
      if (!isUp(one) && excuses(one, truth.nowMs).includes("driver lied")) continue;
      const record = truth.control.fleets.get(one.fleet)?.value;
      // What no fleet or no orders name any more, for they were lost, is kept (I4).
      const { ordered } = truth.places.get(one.name) ?? NOWHERE;
      const isNamed = record !== undefined && ordered.some((entry) => entry.host === host);
      if (truth.control.epoch.base > 0 && !isUp(one) && !isNamed) continue;
      // An update that is held, or to what does not work, stays as it is, extra instances and all.
      if (record !== undefined && (isHeld(record) || failing.has(record.template))) continue;
      // An extra one is kept until all others are well: where one has nowhere to go, it stays.
      const isWanting = waiting.some(
        (each) => each.fleet === one.fleet && each.refusals.length > 0,
      );
      if (one.index >= SURGE_INDEX && isWanting) continue;
      const isGivenUp = record === undefined || one.index >= record.spec.replicas;
      if (isGivenUp) found.push(`${keyOf(one)} is left over on ${host}`);
    }
  }
  return found;
}

type Situation = {
  readonly truth: Truth;
  readonly waiting: readonly Waiting[];
  readonly failing: ReadonlySet<Digest>;
};

function unsettledOf(
  fleet: FleetRecord,
  { truth, waiting, failing }: Situation,
): readonly string[] {
  const names = Array.from({ length: fleet.spec.replicas }, (_, index) =>
    instanceName(fleet.spec.name, index),
  );
  const places = names.map((name) => truth.places.get(name) ?? NOWHERE);
  const isBroken = ({ ordered }: Places): boolean =>
    isHeld(fleet) && ordered.some(({ one }) => failing.has(one.template));
  // Others wait for their turn until an operator has looked at it.
  if (places.some((each) => isBroken(each) || isOfNoOrders(each, fleet))) return [];
  const own = waiting.filter((one) => one.fleet === fleet.spec.name);
  const reasons = new Map(own.map((one) => [one.instance, one]));
  const wishes = new Map(fleet.wishes.map((one) => [one.index, one]));
  return names.flatMap((name, index) => {
    const wish = wishes.get(index);
    const { existing } = truth.places.get(name) ?? NOWHERE;
    const alive = existing.filter(({ one }) => isUp(one));
    if (wish?.isStopped === true) return alive.length === 0 ? [] : [`${name} is to be stopped`];
    const [only, ...others] = alive;
    if (others.length > 0) return [`${name} runs ${alive.length} times`];
    const isFine =
      only !== undefined &&
      only.one.state === "ready" &&
      isTemplate(only.one.templateDigest, fleet) &&
      only.one.incarnation >= (wish?.minIncarnation ?? 1) &&
      adminOf(only.host, truth) !== "draining";
    // Once its driver left it out, it counted as gone: one of the same number may follow it there.
    const wasDenied =
      only !== undefined &&
      truth.hosts.get(only.host)?.excuses(only.one, truth.nowMs).includes("driver lied") === true;
    const reason = reasons.get(name);
    if (isFine || wasDenied || (reason !== undefined && isTrue(reason, fleet, own, truth)))
      return [];
    const state = only === undefined ? "does not run" : `is ${keyOf(only.one)}, not as declared`;
    return [`${name} ${state}: ${describe(reason)}`];
  });
}

/**
 * True of one that is later than all orders, by a template that nobody knows any more: what ordered
 * it was not kept, for its host's disk was full, and was lost with the control state. Its agent
 * says that it waits for orders that follow.
 */
const isOfNoOrders = (
  { ordered, existing }: Places,
  { template, rollout: { previous } }: FleetRecord,
): boolean =>
  existing.some(
    (there) =>
      ordered.every(({ one }) => one.incarnation < there.one.incarnation) &&
      ![template, previous?.digest].includes(there.one.templateDigest),
  );

/** The present template; any, where an update is held: what is there stays as it is. */
const isTemplate = (digest: Digest, record: FleetRecord): boolean =>
  digest === record.template || isHeld(record);

const isHeld = ({ rollout: { state } }: FleetRecord): boolean =>
  state.kind === "paused" || state.kind === "halted";

/** A wait for room is true where there is none; one for its turn, where another waits for room. */
function isTrue(
  { instance, refusals }: Waiting,
  fleet: FleetRecord,
  own: readonly Waiting[],
  truth: Truth,
): boolean {
  if (refusals.length === 0) return own.some((one) => one.refusals.length > 0);
  const resting = restingPlace(instance, truth);
  const needs = needsOf(instance, fleet, truth);
  return ![...truth.hosts.values()].some((host) => {
    const mayServe = resting === undefined || resting === host.name;
    const isOpen = resting !== undefined || adminOf(host.name, truth) === "active";
    return mayServe && isOpen && hasRoom(host, needs, fleet, truth);
  });
}

/** What its next incarnation takes: while an update is held, it is made as it was. */
function needsOf(name: InstanceName, fleet: FleetRecord, truth: Truth): Resources {
  const { template, rollout, spec } = fleet;
  const before = isHeld(fleet) ? newestOf(name, truth)?.one.template : undefined;
  const isKnown = before === template || before === rollout.previous?.digest;
  const needs = before !== undefined && isKnown ? truth.resources.get(before) : undefined;
  return needs ?? spec.template.resources;
}

function newestOf(name: InstanceName, { places }: Truth): Places["ordered"][number] | undefined {
  const { ordered } = places.get(name) ?? NOWHERE;
  return ordered.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
}

/** Where its newest incarnation rests: it can run again on that disk only, unless it is to move. */
function restingPlace(name: InstanceName, truth: Truth): HostName | undefined {
  const newest = newestOf(name, truth);
  if (newest?.one.desired !== "stop") return undefined;
  return adminOf(newest.host, truth) === "draining" ? undefined : newest.host;
}

const adminOf = (name: HostName, { control }: Truth): HostRecord["admin"] =>
  control.hosts.get(name)?.value.admin ?? "active";

function hasRoom(
  { name, capacity }: HostTruth,
  needs: Resources,
  { spec }: FleetRecord,
  truth: Truth,
): boolean {
  const ordered = truth.control.orders.get(name)?.value.instances ?? [];
  const toRun = ordered.filter((one) => one.desired === "run");
  if (toRun.some((one) => spec.placement.apartFrom.includes(one.fleet))) return false;
  const used = sum(
    toRun.map((one) => one.template),
    truth.resources,
  );
  return (
    used.vcpuMillis + needs.vcpuMillis <= capacity.vcpuMillis &&
    used.memoryMib + needs.memoryMib <= capacity.memoryMib
  );
}

function describe(waiting: Waiting | undefined): string {
  if (waiting === undefined) return "no reason given";
  return [waiting.reason, ...waiting.refusals.map(({ text }) => text)].join("; ");
}
