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
  const report = decisive(before, watched);
  const later = now && decisive(now, watched);
  if (now === undefined || report === undefined || later === undefined) return false;
  const repeated = { ...later, reportedAt: report.reportedAt };
  return isSame(
    { ...before, report, heartbeat: heardOf(before) },
    { ...now, report: repeated, heartbeat: heardOf(now) },
  );
}

const heardOf = (host: HostView) => ({ ...appliedBy(host), agent: addressee(host) });

/** A report without what no plan with these watched fleets tells of what is ordered to run. */
function decisive({ report, orders }: HostView, watched: Watched): Report | undefined {
  if (report === undefined) return undefined;
  const toRun = new Set<string>();
  for (const { name, incarnation, desired } of orders?.instances ?? []) {
    if (desired === "run") toRun.add(runtimeName(name, incarnation));
  }
  const instances = report.instances.map((one) => {
    if (!toRun.has(runtimeName(one.name, one.incarnation))) return one;
    return watched.has(one.fleet) ? withoutBlemish(one) : withoutFortune(one);
  });
  return { ...report, instances };
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
