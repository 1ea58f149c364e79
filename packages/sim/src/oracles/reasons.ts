import {
  type FleetRecord,
  type HostView,
  type InstanceName,
  instanceName,
  type Plan,
  type Snapshot,
} from "@evm/fleet";

/**
 * I8: whatever a leader would let wait has a reason, counts where the wait is for a host, and
 * nothing that is wanted is forgotten.
 */
export function unexplained({ fleets, hosts }: Snapshot, plan: Plan): readonly string[] {
  // A leader whose view is from before what a host goes by plans nothing, and says so elsewhere.
  if (hosts.some(isAhead)) return [];
  const waits = new Set<InstanceName>();
  const found: string[] = [];
  for (const { instance, reason, refusals } of plan.waiting) {
    waits.add(instance);
    const isExplained = reason !== "" && refusals.every(({ text }) => text !== "");
    if (!isExplained) found.push(`${instance} waits without a reason`);
  }
  const rewritten = new Map(plan.orders.map((orders) => [orders.host, orders]));
  const runs = new Set<InstanceName>();
  for (const { name: host, liveness, orders } of hosts) {
    if (liveness === "lost") continue;
    for (const one of (rewritten.get(host) ?? orders)?.instances ?? []) {
      if (one.desired === "run") runs.add(one.name);
    }
  }
  for (const fleet of fleets) {
    for (const name of wanted(fleet)) {
      if (!waits.has(name) && !runs.has(name)) found.push(`${name} neither runs nor waits`);
    }
  }
  return found;
}

const isAhead = ({ report, heartbeat, orders }: HostView): boolean =>
  Math.max(report?.generation ?? 0, heartbeat?.generation ?? 0) > (orders?.generation ?? 0);

function wanted({ spec, state, wishes }: FleetRecord): readonly InstanceName[] {
  if (state !== "active") return [];
  const stopped = new Set(wishes.flatMap((wish) => (wish.isStopped ? [wish.index] : [])));
  return Array.from({ length: spec.replicas }, (_, index) => index)
    .filter((index) => !stopped.has(index))
    .map((index) => instanceName(spec.name, index));
}
