import {
  type FleetRecord,
  type HostName,
  type HostRecord,
  type InstanceName,
  instanceName,
  type Waiting,
} from "@evm/fleet";
import { sum } from "./capacity.ts";
import { type HostTruth, isUp, keyOf, type Truth } from "./truth.ts";

/**
 * I7: what is not yet as declared: every instance that is wanted is ready where it may be, or
 * waits for a reason that is true; what is not wanted does not run; what was given up is gone.
 *
 * @param waiting what the leader says of those that wait
 */
export function unsettled(truth: Truth, waiting: readonly Waiting[]): readonly string[] {
  const found: string[] = [];
  for (const { value: fleet } of truth.control.fleets.values()) {
    if (fleet.state === "deleting") found.push(`fleet ${fleet.spec.name} is still there`);
    else found.push(...unsettledOf(fleet, truth, waiting));
  }
  for (const { name: host, instances } of truth.hosts) {
    for (const one of instances) {
      const spec = truth.control.fleets.get(one.fleet)?.value.spec;
      const isGivenUp = spec === undefined || one.index >= spec.replicas;
      if (isGivenUp) found.push(`${keyOf(one)} is left over on ${host}`);
    }
  }
  return found;
}

function unsettledOf(
  fleet: FleetRecord,
  truth: Truth,
  waiting: readonly Waiting[],
): readonly string[] {
  const own = waiting.filter((one) => one.fleet === fleet.spec.name);
  return Array.from({ length: fleet.spec.replicas }, (_, index) => index).flatMap((index) => {
    const name = instanceName(fleet.spec.name, index);
    const wish = fleet.wishes.find((one) => one.index === index);
    const alive = truth.hosts.flatMap((host) =>
      host.instances.filter((one) => one.name === name && isUp(one)).map((one) => ({ host, one })),
    );
    if (wish?.isStopped === true) return alive.length === 0 ? [] : [`${name} is to be stopped`];
    const [only, ...others] = alive;
    if (others.length > 0) return [`${name} runs ${alive.length} times`];
    const isFine =
      only !== undefined &&
      only.one.state === "ready" &&
      only.one.templateDigest === fleet.template &&
      only.one.incarnation >= (wish?.minIncarnation ?? 1) &&
      isOpen(only.host, truth);
    const reason = own.find((one) => one.instance === name);
    if (isFine || (reason !== undefined && isTrue(reason, fleet, own, truth))) return [];
    const state = only === undefined ? "does not run" : `is ${keyOf(only.one)}, not as declared`;
    return [`${name} ${state}: ${describe(reason)}`];
  });
}

/** A wait for room is true where there is none; one for its turn, where another waits for room. */
function isTrue(
  { instance, refusals }: Waiting,
  fleet: FleetRecord,
  own: readonly Waiting[],
  truth: Truth,
): boolean {
  if (refusals.length === 0) return own.some((one) => one.refusals.length > 0);
  const resting = restingPlace(instance, truth);
  return !truth.hosts.some((host) => {
    const mayServe = resting === undefined || resting === host.name;
    return mayServe && isOpen(host, truth) && hasRoom(host, fleet, truth);
  });
}

/** Where its newest incarnation rests: it can run again on that disk only. */
function restingPlace(name: InstanceName, { control }: Truth): HostName | undefined {
  const entries = [...control.orders].flatMap(([host, { value }]) =>
    value.instances.filter((one) => one.name === name).map((one) => ({ host, one })),
  );
  const newest = entries.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
  return newest?.one.desired === "stop" ? newest.host : undefined;
}

function isOpen({ name }: HostTruth, { control }: Truth): boolean {
  const record: HostRecord | undefined = control.hosts.get(name)?.value;
  return record?.admin !== "draining";
}

function hasRoom({ name, capacity }: HostTruth, { spec }: FleetRecord, truth: Truth): boolean {
  const ordered = truth.control.orders.get(name)?.value.instances ?? [];
  const toRun = ordered.filter((one) => one.desired === "run");
  if (toRun.some((one) => spec.placement.apartFrom.includes(one.fleet))) return false;
  const used = sum(
    toRun.map((one) => one.template),
    truth.resources,
  );
  const needs = spec.template.resources;
  return (
    used.vcpuMillis + needs.vcpuMillis <= capacity.vcpuMillis &&
    used.memoryMib + needs.memoryMib <= capacity.memoryMib
  );
}

function describe(waiting: Waiting | undefined): string {
  if (waiting === undefined) return "no reason given";
  return [waiting.reason, ...waiting.refusals.map(({ text }) => text)].join("; ");
}
