/** Whether what is new calls for another plan. Most of what hosts tell does not. */
import {
  addressee,
  appliedBy,
  type FleetName,
  type HostView,
  isSame,
  type Observed,
  type Plan,
  type Report,
  runtimeName,
  type Snapshot,
} from "@evm/fleet";

/**
 * True where two snapshots differ at most in what the plan of the first does not go by: when
 * reports were made, whether a report or a heartbeat says which orders are applied, and how those
 * instances fare that the plan does not watch. Hosts repeat what they told, a runtime that answers
 * only now and then is told of each time, and what crashes again and again is ready in between:
 * none of that must cost a plan.
 *
 * @param plan made of `before`, or of what calls for the same one
 */
export function isSameSituation(before: Snapshot, now: Snapshot, { watched }: Plan): boolean {
  return (
    before.epoch === now.epoch &&
    before.epochBase === now.epochBase &&
    before.overcommit === now.overcommit &&
    before.waveShare === now.waveShare &&
    isSame(before.brake, now.brake) &&
    before.fleets.length === now.fleets.length &&
    before.fleets.every((fleet, at) => fleet === now.fleets[at]) &&
    before.hosts.length === now.hosts.length &&
    before.hosts.every((host, at) => isSameHost(host, now.hosts[at], watched))
  );
}

type Watched = ReadonlySet<FleetName>;

function isSameHost(before: HostView, now: HostView | undefined, watched: Watched): boolean {
  if (before === now) return true;
  if (before.report === undefined || now?.report === undefined) return false;
  const { reportedAt, instances } = before.report;
  const repeated = { ...now.report, reportedAt, instances };
  return (
    isSame(
      { ...before, heartbeat: heardOf(before) },
      { ...now, heartbeat: heardOf(now), report: repeated },
    ) && areAlike(before, now.report, watched)
  );
}

const heardOf = (host: HostView) => ({ ...appliedBy(host), agent: addressee(host) });

/** True where no plan that watches these fleets tells what is there now from what was before. */
function areAlike({ report, orders }: HostView, now: Report, watched: Watched): boolean {
  if (report?.instances.length !== now.instances.length) return false;
  const differing = report.instances.flatMap((one, at) => {
    const other = now.instances[at];
    return other === undefined || isSame(one, other) ? [] : [[one, other] as const];
  });
  if (differing.length === 0) return true;
  const toRun = new Set<string>();
  for (const { name, incarnation, desired } of orders?.instances ?? []) {
    if (desired === "run") toRun.add(runtimeName(name, incarnation));
  }
  return differing.every(([one, other]) => {
    if (!toRun.has(runtimeName(one.name, one.incarnation))) return false;
    const decisive = watched.has(one.fleet) ? withoutBlemish : withoutFortune;
    return isSame(decisive(one), decisive(other));
  });
}

/** What is wrong with it matters only where it is not ready. */
const withoutBlemish = (one: Observed): Observed =>
  one.phase === "ready" ? { ...one, reason: undefined } : one;

const withoutFortune = (one: Observed): Observed => ({
  ...one,
  phase: one.phase === "failed" ? "failed" : "running",
  since: 0,
  restarts: 0,
  ...{ reason: undefined, exit: undefined, address: undefined },
});
