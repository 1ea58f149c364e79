/** Hosts: list, get, drain, undrain. */
import { create } from "@bufbuild/protobuf";
import { driverStatusCodec, poolStatusCodec, resourcesCodec } from "@evm/codec";
import { type HostRecord, type HostView, isAlive, type Resources } from "@evm/fleet";
import {
  type Handlers,
  type Host,
  HostAdmin,
  HostSchema,
  type HostService,
  Liveness,
} from "@evm/protocol";
import { compareAndSet } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { pageOf } from "./paging.ts";

const LIVENESS = { up: Liveness.UP, unknown: Liveness.UNKNOWN, lost: Liveness.LOST } as const;

export function hostHandlers(context: ApiContext): Handlers<typeof HostService> {
  const hosts = () => context.coordinator.picture().snapshot.hosts;
  const find = (name: string): HostView => {
    const host = hosts().find((item) => item.name === name);
    if (host === undefined) throw notFound("host", name);
    return host;
  };
  const changeTo = async (name: string, admin: HostRecord["admin"], signal: AbortSignal) => {
    await setAdmin(context, find(name), admin, signal);
    return { host: hostToWire(find(name)) };
  };
  return {
    async listHosts(request) {
      const { page, nextPageToken } = pageOf(hosts(), request, (host) => host.name);
      return { hosts: page.map(hostToWire), nextPageToken };
    },
    async getHost({ name }) {
      return { host: hostToWire(find(name)) };
    },
    drainHost: ({ name }, { signal }) => changeTo(name, "draining", signal),
    undrainHost: ({ name }, { signal }) => changeTo(name, "active", signal),
  };
}

async function setAdmin(
  context: ApiContext,
  { name, admin: before }: HostView,
  admin: HostRecord["admin"],
  signal: AbortSignal,
): Promise<void> {
  if (before === admin) return;
  const { store, coordinator } = context;
  const write = () => {
    const expectedRevision = store.control().hosts.get(name)?.revision ?? 0;
    return store.putHost({ name, admin }, expectedRevision, signal);
  };
  await compareAndSet(context, { what: `host "${name}"`, write, signal });
  const reason = admin === "draining" ? "HostDraining" : "HostUndrained";
  coordinator.announcer.say("info", reason, `${name} is ${admin}`, { host: name });
}

function hostToWire(host: HostView): Host {
  const { report } = host;
  const existing = report?.instances ?? [];
  const alive = existing.filter((instance) => isAlive(instance.phase));
  return create(HostSchema, {
    name: host.name,
    admin: host.admin === "active" ? HostAdmin.ACTIVE : HostAdmin.DRAINING,
    liveness: LIVENESS[host.liveness],
    promised: resourcesCodec.toWire(promisedOn(host)),
    alive: alive.length,
    existing: existing.length,
    quarantined: quarantinedOn(host),
    ...(report === undefined
      ? {}
      : {
          reportedAtMs: BigInt(report.reportedAt),
          labels: { ...report.labels },
          capacity: resourcesCodec.toWire(report.capacity),
          drivers: report.drivers.map(driverStatusCodec.toWire),
          pools: report.pools.map(poolStatusCodec.toWire),
        }),
  });
}

/** What its orders promise to instances that are to run. */
function promisedOn({ orders }: HostView): Resources {
  const sum = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  const templates = new Map(orders?.templates.map((item) => [item.digest, item.template]));
  for (const { desired, template } of orders?.instances ?? []) {
    const resources = templates.get(template)?.resources;
    if (desired !== "run" || resources === undefined) continue;
    sum.vcpuMillis += resources.vcpuMillis;
    sum.memoryMib += resources.memoryMib;
    sum.diskMib += resources.diskMib;
  }
  return sum;
}

/** Stopped, and in no orders or ordered to stay so. */
function quarantinedOn({ orders, report }: HostView): number {
  const wanted = new Set<string>();
  for (const { name, incarnation, desired } of orders?.instances ?? []) {
    if (desired !== "stop") wanted.add(`${name}.${incarnation}`);
  }
  const rests = (report?.instances ?? []).filter(
    ({ name, incarnation, phase }) => !isAlive(phase) && !wanted.has(`${name}.${incarnation}`),
  );
  return rests.length;
}
