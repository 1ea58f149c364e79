/** What Docker is told to make of an incarnation. Pure, so that it is proven by golden tests. */
import {
  type ContainerTemplate,
  type HealthCheck,
  type PortMapping,
  runtimeName,
} from "@evm/fleet";
import type { ContainerCreateOptions, HealthConfig, PortMap } from "dockerode";
import type { InstanceSpec } from "../driver.ts";
import { labelsOf } from "./container-labels.ts";

/** More than a sane service needs, few enough that no fork bomb takes the host's 32,768. */
const PIDS_LIMIT = 4096;

/** On disk at most 20 MiB a container: 100 chatty ones stay at 2 GiB. */
const LOG_CONFIG = { Type: "json-file", Config: { "max-size": "10m", "max-file": "2" } };

const BYTES_PER_MIB = 1024 * 1024;
const NANO_CPUS_PER_MILLI = 1_000_000;
const NANOSECONDS_PER_MS = 1_000_000;

/** @param options `image` is what to make it from: a reference that the daemon has */
export function containerOptions(
  spec: InstanceSpec,
  template: ContainerTemplate,
  { image, owner }: { readonly image: string; readonly owner: string },
): ContainerCreateOptions {
  const memoryBytes = template.resources.memoryMib * BYTES_PER_MIB;
  return {
    name: runtimeName(spec.name, spec.incarnation),
    Hostname: spec.name,
    Image: image,
    ...(template.command.length > 0 ? { Cmd: [...template.command] } : {}),
    Env: Object.entries(template.environment).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(spec, owner),
    ExposedPorts: Object.fromEntries(template.ports.map((port) => [portKey(port), {}])),
    Healthcheck: healthConfig(template.healthCheck),
    HostConfig: {
      // A PID 1 of Docker's own: without it a program that is PID 1 does not end by SIGTERM.
      Init: true,
      NanoCpus: template.resources.vcpuMillis * NANO_CPUS_PER_MILLI,
      Memory: memoryBytes,
      // The same as memory: no swap. Memory that was promised is memory.
      MemorySwap: memoryBytes,
      PidsLimit: PIDS_LIMIT,
      SecurityOpt: ["no-new-privileges"],
      // Restarts are the agent's: two that restart would fight.
      RestartPolicy: { Name: "no" },
      PortBindings: portBindings(template.ports),
      LogConfig: LOG_CONFIG,
    },
  };
}

const portKey = ({ containerPort, protocol }: PortMapping): string =>
  `${containerPort}/${protocol}`;

/** An empty host port lets Docker pick a free one. */
function portBindings(ports: readonly PortMapping[]): PortMap {
  const bindings: PortMap = {};
  for (const port of ports) {
    const key = portKey(port);
    const binding = { HostPort: port.hostPort === undefined ? "" : String(port.hostPort) };
    bindings[key] = [...(bindings[key] ?? []), binding];
  }
  return bindings;
}

/** Without a check in the template the image's own is off: a running container is ready. */
function healthConfig(check: HealthCheck | undefined): HealthConfig {
  if (check === undefined) return { Test: ["NONE"] };
  return {
    Test: ["CMD", ...check.command],
    Interval: check.intervalMs * NANOSECONDS_PER_MS,
    Timeout: check.timeoutMs * NANOSECONDS_PER_MS,
    Retries: check.retries,
    StartPeriod: check.startPeriodMs * NANOSECONDS_PER_MS,
  };
}
