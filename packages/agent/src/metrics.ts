/** Every metric of the agent. */
import type { Observed, Orders, Resources } from "@evm/fleet";
import { Metrics } from "@evm/telemetry";

/** From a call that only asks to one that fetches an image. */
const CALL_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
/** A pass only computes: it is to stay within a few milliseconds. */
const PASS_BUCKETS = [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5];

const MIB = 1024 * 1024;

export type AgentMetrics = ReturnType<typeof createAgentMetrics>;

export function createAgentMetrics() {
  const metrics = new Metrics();
  const gauge = <Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ) => metrics.gauge({ name, help, labels });
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ) => metrics.counter({ name, help, labels });
  return {
    registry: metrics.registry,
    capacityVcpus: gauge("evm_host_capacity_vcpus", "Virtual CPUs offered to instances."),
    capacityMemory: gauge("evm_host_capacity_memory_bytes", "Memory offered to instances."),
    capacityDisk: gauge("evm_host_capacity_disk_bytes", "Disk offered to instances."),
    usedVcpus: gauge("evm_host_used_vcpus", "Virtual CPUs ordered for instances to run."),
    usedMemory: gauge("evm_host_used_memory_bytes", "Memory ordered for instances to run."),
    usedDisk: gauge("evm_host_used_disk_bytes", "Disk ordered for instances to run."),
    instances: gauge("evm_instances", "Instances on this host.", ["kind", "phase"]),
    poolFree: gauge("evm_pool_free_bytes", "Free space of a pool.", ["pool"]),
    poolTotal: gauge("evm_pool_size_bytes", "Size of a pool.", ["pool"]),
    poolArtifacts: gauge("evm_pool_artifacts", "Verified artifacts cached on a pool.", ["pool"]),
    tasks: gauge("evm_agent_tasks", "Steps being carried out.", ["step"]),
    queueLength: gauge("evm_agent_queue_length", "Steps that wait for their turn.", ["step"]),
    leaseHeld: gauge("evm_agent_lease_held", "1 while a lease is held, else 0."),
    isRefused: gauge("evm_agent_refused", "1 while another machine has this host's name, else 0."),
    epoch: gauge("evm_orders_epoch", "Epoch of the orders in force."),
    generation: gauge("evm_orders_generation", "Generation of the orders in force."),
    ordersRefused: counter("evm_orders_refused_total", "Orders that were refused (I5)."),
    restarts: counter("evm_agent_restarts_total", "Instances restarted.", ["kind"]),
    stepFailures: counter("evm_agent_step_failures_total", "Steps that failed.", ["kind", "step"]),
    eventsDropped: counter("evm_events_dropped_total", "Events dropped."),
    driverCall: metrics.histogram({
      name: "evm_driver_call_duration_seconds",
      help: "Calls to drivers.",
      labels: ["driver", "verb", "outcome"],
      buckets: CALL_BUCKETS,
    }),
    pass: metrics.histogram({
      name: "evm_agent_pass_duration_seconds",
      help: "Passes of the work loop.",
      labels: [],
      buckets: PASS_BUCKETS,
    }),
  };
}

/** Shows what the host offers to instances. */
export function measureCapacity(capacity: Resources, metrics: AgentMetrics): void {
  metrics.capacityVcpus.set(capacity.vcpuMillis / 1000);
  metrics.capacityMemory.set(capacity.memoryMib * MIB);
  metrics.capacityDisk.set(capacity.diskMib * MIB);
}

/** Shows how many instances are in each phase. */
export function measureInstances(instances: readonly Observed[], metrics: AgentMetrics): void {
  metrics.instances.reset();
  for (const { kind, phase } of instances) metrics.instances.inc({ kind, phase });
}

/** Shows what is promised to instances that are ordered to run. */
export function measureUse(orders: Orders, metrics: AgentMetrics): void {
  const resourcesOf = new Map(
    orders.templates.map(({ digest, template }) => [digest, template.resources]),
  );
  const used = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  for (const { template, desired } of orders.instances) {
    const resources = desired === "run" ? resourcesOf.get(template) : undefined;
    used.vcpuMillis += resources?.vcpuMillis ?? 0;
    used.memoryMib += resources?.memoryMib ?? 0;
    used.diskMib += resources?.diskMib ?? 0;
  }
  metrics.usedVcpus.set(used.vcpuMillis / 1000);
  metrics.usedMemory.set(used.memoryMib * MIB);
  metrics.usedDisk.set(used.diskMib * MIB);
}
