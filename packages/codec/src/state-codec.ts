/** Orders, reports and records, as the store keeps them: between wire and model. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DriverStatus,
  FleetRecord,
  HostRecord,
  Observed,
  Orders,
  PoolStatus,
  Report,
} from "@evm/fleet";
import {
  Desired,
  DriverStatusSchema,
  Exit,
  FleetRecordSchema,
  FleetState,
  HostAdmin,
  HostRecordSchema,
  type ObservedInstanceSchema,
  OrdersSchema,
  Phase,
  PoolStatusSchema,
  ReportSchema,
  TemplateKind,
  type DriverStatus as WireDriverStatus,
  type FleetRecord as WireFleetRecord,
  type HostRecord as WireHostRecord,
  type ObservedInstance as WireObserved,
  type Orders as WireOrders,
  type PoolStatus as WirePoolStatus,
  type Report as WireReport,
} from "@evm/protocol";
import { codec, filled, wireEnum } from "./codec.ts";
import { imageInit, imageShape } from "./image-codec.ts";
import {
  orderedTemplateInit,
  orderedTemplateShape,
  rolloutInit,
  rolloutShape,
} from "./rollout-codec.ts";
import {
  fleetSpecInit,
  fleetSpecShape,
  onIsolation,
  resourcesInit,
  resourcesShape,
  restartInit,
  restartShape,
} from "./spec-codec.ts";
import * as schema from "./state-schema.ts";

export const desiredEnum = wireEnum({
  run: Desired.RUN,
  stop: Desired.STOP,
  discard: Desired.DISCARD,
});
export const phaseEnum = wireEnum({
  pending: Phase.PENDING,
  placed: Phase.PLACED,
  preparing: Phase.PREPARING,
  starting: Phase.STARTING,
  running: Phase.RUNNING,
  ready: Phase.READY,
  stopping: Phase.STOPPING,
  stopped: Phase.STOPPED,
  failed: Phase.FAILED,
  lost: Phase.LOST,
});
export const templateKindEnum = wireEnum({
  vm: TemplateKind.VM,
  container: TemplateKind.CONTAINER,
});
const fleetStateEnum = wireEnum({
  active: FleetState.ACTIVE,
  deleting: FleetState.DELETING,
});
export const hostAdminEnum = wireEnum({
  active: HostAdmin.ACTIVE,
  cordoned: HostAdmin.CORDONED,
  draining: HostAdmin.DRAINING,
});
const exit = wireEnum({ success: Exit.SUCCESS, failure: Exit.FAILURE });

export const ordersCodec = codec({
  what: "orders",
  desc: OrdersSchema,
  schema: schema.orders,
  init: (orders: Orders) => ({
    host: orders.host,
    agent: orders.agent ?? "",
    epoch: BigInt(orders.epoch),
    generation: BigInt(orders.generation),
    templates: orders.templates.map(orderedTemplateInit),
    fleets: orders.fleets.map((fleet) => ({
      name: fleet.name,
      restart: restartInit(fleet.restart),
      onIsolation: onIsolation.toWire(fleet.onIsolation),
    })),
    instances: orders.instances.map(({ template, desired, ...instance }) => ({
      ...instance,
      templateDigest: template,
      desired: desiredEnum.toWire(desired),
    })),
  }),
  shape: (wire: WireOrders) => ({
    host: wire.host,
    agent: filled(wire.agent),
    epoch: Number(wire.epoch),
    generation: Number(wire.generation),
    templates: wire.templates.map(orderedTemplateShape),
    fleets: wire.fleets.map((fleet) => ({
      name: fleet.name,
      restart: fleet.restart && restartShape(fleet.restart),
      onIsolation: onIsolation.shape(fleet.onIsolation),
    })),
    instances: wire.instances.map((instance) => ({
      name: instance.name,
      fleet: instance.fleet,
      index: instance.index,
      incarnation: instance.incarnation,
      template: instance.templateDigest,
      desired: desiredEnum.shape(instance.desired),
    })),
  }),
});

export const driverStatusCodec = codec({
  what: "driver status",
  desc: DriverStatusSchema,
  schema: schema.driverStatus,
  init: driverStatusInit,
  shape: driverStatusShape,
});

export const poolStatusCodec = codec({
  what: "pool status",
  desc: PoolStatusSchema,
  schema: schema.poolStatus,
  init: poolStatusInit,
  shape: poolStatusShape,
});

export const reportCodec = codec({
  what: "report",
  desc: ReportSchema,
  schema: schema.report,
  init: (report: Report) => ({
    host: report.host,
    agent: report.agent,
    reportedAtMs: BigInt(report.reportedAt),
    epoch: BigInt(report.epoch),
    generation: BigInt(report.generation),
    labels: { ...report.labels },
    capacity: resourcesInit(report.capacity),
    drivers: report.drivers.map(driverStatusInit),
    pools: report.pools.map(poolStatusInit),
    instances: report.instances.map(observedInit),
  }),
  shape: (wire: WireReport) => ({
    host: wire.host,
    agent: wire.agent,
    reportedAt: Number(wire.reportedAtMs),
    epoch: Number(wire.epoch),
    generation: Number(wire.generation),
    labels: wire.labels,
    capacity: wire.capacity && resourcesShape(wire.capacity),
    drivers: wire.drivers.map(driverStatusShape),
    pools: wire.pools.map(poolStatusShape),
    instances: wire.instances.map(observedShape),
  }),
});

export const fleetRecordCodec = codec({
  what: "fleet record",
  desc: FleetRecordSchema,
  schema: schema.fleetRecord,
  init: (record: FleetRecord) => ({
    spec: fleetSpecInit(record.spec),
    ...(record.image === undefined ? {} : { image: imageInit(record.image) }),
    templateDigest: record.template,
    state: fleetStateEnum.toWire(record.state),
    wishes: record.wishes.map((wish) => ({ ...wish })),
    rollout: rolloutInit(record.rollout),
  }),
  shape: (wire: WireFleetRecord) => ({
    spec: wire.spec && fleetSpecShape(wire.spec),
    image: wire.image && imageShape(wire.image),
    template: wire.templateDigest,
    state: fleetStateEnum.shape(wire.state),
    wishes: wire.wishes.map(({ index, isStopped, minIncarnation }) => ({
      index,
      isStopped,
      minIncarnation,
    })),
    rollout: rolloutShape(wire.rollout),
  }),
});

export const hostRecordCodec = codec({
  what: "host record",
  desc: HostRecordSchema,
  schema: schema.hostRecord,
  init: (record: HostRecord) => ({
    name: record.name,
    admin: hostAdminEnum.toWire(record.admin),
    ...(record.confirmedLost === undefined
      ? {}
      : { confirmedLostMs: BigInt(record.confirmedLost) }),
  }),
  shape: (wire: WireHostRecord) => ({
    name: wire.name,
    admin: hostAdminEnum.shape(wire.admin),
    confirmedLost: wire.confirmedLostMs === undefined ? undefined : Number(wire.confirmedLostMs),
  }),
});

function observedInit(observed: Observed): MessageInitShape<typeof ObservedInstanceSchema> {
  const { name, fleet, index, incarnation, restarts, reason, address } = observed;
  return {
    name,
    fleet,
    index,
    incarnation,
    kind: templateKindEnum.toWire(observed.kind),
    templateDigest: observed.template,
    phase: phaseEnum.toWire(observed.phase),
    sinceMs: BigInt(observed.since),
    restarts,
    ...(reason === undefined ? {} : { reason }),
    ...(observed.exit === undefined ? {} : { exit: exit.toWire(observed.exit) }),
    ...(address === undefined ? {} : { address }),
  };
}

function observedShape(wire: WireObserved) {
  return {
    name: wire.name,
    fleet: wire.fleet,
    index: wire.index,
    incarnation: wire.incarnation,
    kind: templateKindEnum.shape(wire.kind),
    template: wire.templateDigest,
    phase: phaseEnum.shape(wire.phase),
    since: Number(wire.sinceMs),
    restarts: wire.restarts,
    reason: wire.reason,
    exit: exit.shape(wire.exit),
    address: wire.address,
  };
}

function driverStatusInit({ kind, isUsable, detail }: DriverStatus) {
  return { kind: templateKindEnum.toWire(kind), isUsable, detail };
}

function driverStatusShape({ kind, isUsable, detail }: WireDriverStatus) {
  return { kind: templateKindEnum.shape(kind), isUsable, detail };
}

function poolStatusInit({ name, totalBytes, freeBytes, artifacts }: PoolStatus) {
  return {
    name,
    totalBytes: BigInt(totalBytes),
    freeBytes: BigInt(freeBytes),
    artifacts: [...artifacts],
  };
}

function poolStatusShape({ name, totalBytes, freeBytes, artifacts }: WirePoolStatus) {
  return {
    name,
    totalBytes: Number(totalBytes),
    freeBytes: Number(freeBytes),
    artifacts,
  };
}
