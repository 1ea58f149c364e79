/** Schemas of what EVM writes for itself: orders, reports, records, events, signs of life. */
import {
  type Action,
  type DriverStatus,
  type EventRecord,
  type FleetRecord,
  type ForecastAction,
  type Heartbeat,
  type HostRecord,
  type LeaseGrant,
  type Observed,
  type Orders,
  PHASES,
  type Phase,
  type Ping,
  type PoolStatus,
  type Refusal,
  type Report,
  type Rollout,
  type Waiting,
} from "@evm/fleet";
import { z } from "zod";
import {
  agentId,
  boolean,
  digest,
  everyOf,
  filledText,
  fleetName,
  hostName,
  instanceName,
  labels,
  MAX_UINT32,
  oneOf,
  optional,
  uint32,
  uint64,
  whole,
} from "./fields.ts";
import {
  capacity,
  fleetSpec,
  image,
  ON_ISOLATION,
  restart,
  TEMPLATE_KINDS,
  template,
} from "./model-schema.ts";

/** Texts that EVM writes itself have no limit but that of the message that holds them. */
const words = z.string({ error: "a text" });
const filledWords = words.min(1, { error: "a text that is not empty" });
const incarnation = whole(1, MAX_UINT32);

const identity = { name: instanceName, fleet: fleetName, index: uint32, incarnation };

export const orders: z.ZodType<Orders> = z.object({
  host: hostName,
  agent: optional(agentId),
  epoch: uint64,
  generation: uint64,
  templates: everyOf(z.object({ digest, template, image: optional(image) })),
  fleets: everyOf(z.object({ name: fleetName, restart, onIsolation: oneOf(ON_ISOLATION) })),
  instances: everyOf(
    z.object({ ...identity, template: digest, desired: oneOf(["run", "stop", "discard"]) }),
  ),
});

const observed: z.ZodType<Observed> = z.object({
  ...identity,
  kind: oneOf(TEMPLATE_KINDS),
  template: digest,
  phase: oneOf(["preparing", "starting", "running", "ready", "stopping", "stopped", "failed"]),
  since: uint64,
  restarts: uint32,
  reason: optional(words),
  exit: optional(oneOf(["success", "failure"])),
  address: optional(words),
});

export const driverStatus: z.ZodType<DriverStatus> = z.object({
  kind: oneOf(TEMPLATE_KINDS),
  isUsable: boolean,
  detail: words,
});

export const poolStatus: z.ZodType<PoolStatus> = z.object({
  name: filledText,
  totalBytes: uint64,
  freeBytes: uint64,
  artifacts: everyOf(digest),
});

export const report: z.ZodType<Report> = z.object({
  host: hostName,
  agent: agentId,
  reportedAt: uint64,
  epoch: uint64,
  generation: uint64,
  labels,
  capacity,
  drivers: everyOf(driverStatus),
  pools: everyOf(poolStatus),
  instances: everyOf(observed),
});

export const rollout: z.ZodType<Rollout> = z.object({
  state: z.discriminatedUnion("kind", [
    z.object({ kind: oneOf(["done", "going"]) }),
    z.object({ kind: oneOf(["paused", "halted"]), reason: filledWords }),
  ]),
  previous: optional(z.object({ digest, template, image: optional(image) })),
  rolledBackBecause: optional(filledWords),
  knownFailures: everyOf(uint32),
});

export const fleetRecord: z.ZodType<FleetRecord> = z.object({
  spec: fleetSpec,
  image: optional(image),
  template: digest,
  state: oneOf(["active", "deleting"]),
  wishes: everyOf(z.object({ index: uint32, isStopped: boolean, minIncarnation: uint32 })),
  rollout,
});

export const hostRecord: z.ZodType<HostRecord> = z.object({
  name: hostName,
  admin: oneOf(["active", "cordoned", "draining"]),
  confirmedLost: optional(uint64),
});

export const eventRecord: z.ZodType<EventRecord> = z.object({
  at: uint64,
  source: filledText,
  severity: oneOf(["info", "warning", "error"]),
  reason: filledText,
  fleet: optional(words),
  instance: optional(words),
  host: optional(words),
  text: words,
});

export const heartbeat: z.ZodType<Heartbeat> = z.object({
  host: hostName,
  agent: agentId,
  epoch: uint64,
  generation: uint64,
});
export const leaseGrant: z.ZodType<LeaseGrant> = z.object({ epoch: uint64, leaseMs: uint32 });
export const ping: z.ZodType<Ping> = z.object({ epoch: uint64, leader: filledText });

export const phase: z.ZodType<Phase> = oneOf(PHASES);

const actionFields = {
  kind: oneOf(["create", "replace", "move", "restart", "resume", "stop", "discard", "forget"]),
  instance: instanceName,
  fleet: fleetName,
  incarnation,
  host: hostName,
  from: optional(hostName),
  reason: words,
};

export const action: z.ZodType<Action> = z.object(actionFields);

export const forecastAction: z.ZodType<ForecastAction> = z.object({
  ...actionFields,
  wave: uint32,
});

export const refusal: z.ZodType<Refusal> = z.object({
  rule: filledText,
  hosts: uint32,
  text: words,
});

export const waiting: z.ZodType<Waiting> = z.object({
  instance: instanceName,
  fleet: fleetName,
  reason: words,
  refusals: everyOf(refusal),
});
