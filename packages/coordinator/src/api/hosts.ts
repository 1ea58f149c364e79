/** Hosts: list, get, drain, cordon, undrain, confirm that they are lost. */
import { create } from "@bufbuild/protobuf";
import { driverStatusCodec, hostAdminEnum, poolStatusCodec, resourcesCodec } from "@evm/codec";
import {
  type HostAdmin,
  type HostView,
  isAlive,
  isInMaintenance,
  type Resources,
} from "@evm/fleet";
import { type Handlers, type Host, HostSchema, type HostService, Liveness } from "@evm/protocol";
import { assertConfirmed } from "./blast-radius.ts";
import { changeHost } from "./change-host.ts";
import { confirmLost } from "./confirm-lost.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { pageOf } from "./paging.ts";

const LIVENESS = {
  up: Liveness.UP,
  unknown: Liveness.UNKNOWN,
  silent: Liveness.SILENT,
  lost: Liveness.LOST,
} as const;

const REASONS = {
  active: "HostUndrained",
  cordoned: "HostCordoned",
  draining: "HostDraining",
} as const satisfies Record<HostAdmin, string>;

export function hostHandlers(context: ApiContext): Handlers<typeof HostService> {
  const hosts = () => context.coordinator.picture().snapshot.hosts;
  const show = (name: string): Host => hostToWire(findHost(context, name));
  const changeTo = async (name: string, admin: HostAdmin, signal: AbortSignal) => {
    await setAdmin(context, findHost(context, name), admin, signal);
    return { host: show(name) };
  };
  return {
    async listHosts(request) {
      const { page, nextPageToken } = pageOf(hosts(), request, (host) => host.name);
      return { hosts: page.map(hostToWire), nextPageToken };
    },
    async getHost({ name }) {
      return { host: show(name) };
    },
    async drainHost({ name, others, confirmed }, { signal }) {
      // What it disturbs is counted on the newest state, as it is for fleets.
      await context.store.catchUp(signal);
      const drained = [name, ...others].map((one) => findHost(context, one));
      assertConfirmed(context, { drains: drained.map((host) => host.name) }, confirmed);
      for (const host of drained) await setAdmin(context, host, "draining", signal);
      return { host: show(name), others: others.map(show) };
    },
    cordonHost: ({ name }, { signal }) => changeTo(name, "cordoned", signal),
    undrainHost: ({ name }, { signal }) => changeTo(name, "active", signal),
    async confirmLost(request, { signal }) {
      const names = await confirmLost(context, request, signal);
      return { hosts: names.map(show) };
    },
  };
}

export function findHost({ coordinator }: ApiContext, name: string): HostView {
  const host = coordinator.picture().snapshot.hosts.find((item) => item.name === name);
  if (host === undefined) throw notFound("host", name);
  return host;
}

async function setAdmin(
  context: ApiContext,
  { name }: HostView,
  admin: HostAdmin,
  signal: AbortSignal,
): Promise<void> {
  const isWritten = await changeHost(context, {
    name,
    change: (record) => (record.admin === admin ? record : { ...record, admin }),
    signal,
  });
  if (!isWritten) return;
  context.coordinator.announcer.say("info", REASONS[admin], `${name} is ${admin}`, { host: name });
}

function hostToWire(host: HostView): Host {
  const { report } = host;
  const existing = report?.instances ?? [];
  const alive = existing.filter((instance) => isAlive(instance.phase));
  return create(HostSchema, {
    name: host.name,
    admin: hostAdminEnum.toWire(host.admin),
    liveness: isInMaintenance(host) ? Liveness.MAINTENANCE : LIVENESS[host.liveness],
    promised: resourcesCodec.toWire(promisedOn(host)),
    alive: alive.length,
    existing: existing.length,
    quarantined: quarantinedOn(host),
    agent: host.orders?.agent ?? host.heartbeat?.agent ?? report?.agent,
    rival: host.rival,
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
