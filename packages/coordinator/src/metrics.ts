/** Everything a coordinator counts. */
import { type HostView, isInMaintenance, type Phase } from "@evm/fleet";
import type { Metrics } from "@evm/telemetry";
import type { InstanceView } from "./instances.ts";
import type { Picture } from "./picture.ts";

/** From a pass over a few hosts to one over thousands. */
const PASS_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createCoordinatorMetrics(metrics: Metrics) {
  return {
    isLeader: metrics.gauge({
      name: "evm_coordinator_is_leader",
      help: "1 while this coordinator leads",
      labels: [],
    }),
    epoch: metrics.gauge({
      name: "evm_coordinator_epoch",
      help: "Newest epoch known",
      labels: [],
    }),
    reconcileSeconds: metrics.histogram({
      name: "evm_reconcile_duration_seconds",
      help: "Time to make and check one plan",
      labels: [],
      buckets: PASS_BUCKETS_SECONDS,
    }),
    commitSeconds: metrics.histogram({
      name: "evm_commit_duration_seconds",
      help: "Time to commit one plan, by outcome",
      labels: ["outcome"],
      buckets: PASS_BUCKETS_SECONDS,
    }),
    violations: metrics.counter({
      name: "evm_plan_violations_total",
      help: "Plans that were not committed because they break an invariant",
      labels: ["invariant"],
    }),
    actions: metrics.counter({
      name: "evm_actions_total",
      help: "Actions committed, by kind",
      labels: ["kind"],
    }),
    waiting: metrics.gauge({
      name: "evm_instances_waiting",
      help: "Instances that wait for a host or for their turn; told by the leader",
      labels: [],
    }),
    instances: metrics.gauge({
      name: "evm_fleet_instances",
      help: "Instances by fleet and phase; told by the leader",
      labels: ["fleet", "phase"],
    }),
    ...hostMetrics(metrics),
    ...memoryMetrics(metrics),
    brakeActive: metrics.gauge({
      name: "evm_brake_active",
      help: "1 while too many hosts are silent at once to call any lost; told by the leader",
      labels: [],
    }),
    ...exportMetrics(metrics),
    queuedEvents: metrics.gauge({
      name: "evm_coordinator_queued_events",
      help: "Events that wait for the store",
      labels: [],
    }),
    requests: metrics.counter({
      name: "evm_api_requests_total",
      help: "API calls by method and gRPC code",
      labels: ["method", "code"],
    }),
  };
}

const hostMetrics = (metrics: Metrics) => ({
  hosts: metrics.gauge({
    name: "evm_hosts",
    help: "Hosts by liveness, drained and silent ones as maintenance; told by the leader",
    labels: ["liveness"],
  }),
  refusedMachines: metrics.gauge({
    name: "evm_refused_machines",
    help: "Machines that bear the name of a host that is another; told by the leader",
    labels: [],
  }),
});

const memoryMetrics = (metrics: Metrics) => ({
  memoryLost: metrics.gauge({
    name: "evm_control_state_lost",
    help: "1 while the control state is older than what hosts go by: run evm restore",
    labels: [],
  }),
  estrangedHosts: metrics.gauge({
    name: "evm_estranged_hosts",
    help: "Hosts that go by orders which are not known here",
    labels: [],
  }),
});

const exportMetrics = (metrics: Metrics) => ({
  exports: metrics.counter({
    name: "evm_exports_total",
    help: "Exports of the cluster that were due, by outcome",
    labels: ["outcome"],
  }),
  exportedAt: metrics.gauge({
    name: "evm_export_last_success_timestamp_seconds",
    help: "When the newest export was last found to be up to date",
    labels: [],
  }),
});

export type CoordinatorMetrics = ReturnType<typeof createCoordinatorMetrics>;

/** Sets the gauges that tell of the cluster: only the leader does, so that sums are right. */
export function observePicture(metrics: CoordinatorMetrics, picture: Picture): void {
  const { snapshot, plan, unsorted } = picture;
  forgetPicture(metrics);
  metrics.waiting.set(plan.waiting.length);
  metrics.refusedMachines.set(snapshot.hosts.filter(({ rival }) => rival !== undefined).length);
  metrics.brakeActive.set(snapshot.brake === undefined ? 0 : 1);
  const states = snapshot.hosts.map((it) => (isInMaintenance(it) ? "maintenance" : it.liveness));
  for (const liveness of ["up", "unknown", "silent", "lost", "maintenance"] as const) {
    metrics.hosts.set({ liveness }, states.filter((it) => it === liveness).length);
  }
  for (const [fleet, phases] of countByFleet(unsorted)) {
    for (const [phase, count] of phases) metrics.instances.set({ fleet, phase }, count);
  }
}

/** True where the gauges are the same for both. */
export function countsTheSame({ plan, snapshot }: Picture, last: Picture): boolean {
  const { hosts } = last.snapshot;
  // Of one plan are the same hosts, and only what they report differs.
  return plan === last.plan && snapshot.hosts.every((host, at) => isAlike(host, hosts[at]));
}

function isAlike({ report }: HostView, other: HostView | undefined): boolean {
  const before = other?.report?.instances;
  if (report?.instances === before) return true;
  if (report === undefined || report.instances.length !== before?.length) return false;
  return report.instances.every(({ name, phase }, at) => {
    return before[at]?.name === name && before[at].phase === phase;
  });
}

/** Unsets them. */
export function forgetPicture(metrics: CoordinatorMetrics): void {
  const { waiting, hosts, instances, brakeActive, refusedMachines } = metrics;
  for (const gauge of [waiting, hosts, instances, brakeActive, refusedMachines]) gauge.reset();
}

function countByFleet(instances: readonly InstanceView[]): Map<string, Map<Phase, number>> {
  const fleets = new Map<string, Map<Phase, number>>();
  for (const { fleet, phase } of instances) {
    const phases = fleets.get(fleet) ?? new Map<Phase, number>();
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
    fleets.set(fleet, phases);
  }
  return fleets;
}
