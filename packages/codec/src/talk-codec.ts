/** What is said and not kept as state: events, signs of life, plans as shown to people. */
import type {
  Action,
  EventRecord,
  Forecast,
  Heartbeat,
  LeaseGrant,
  Ping,
  Refusal,
  StoredEvent,
  Waiting,
} from "@evm/fleet";
import {
  ActionKind,
  ActionSchema,
  EventSchema,
  HeartbeatSchema,
  LeaseGrantSchema,
  PingSchema,
  PlanSchema,
  RefusalSchema,
  Severity,
  WaitingSchema,
  type Action as WireAction,
  type Event as WireEvent,
  type Heartbeat as WireHeartbeat,
  type LeaseGrant as WireLeaseGrant,
  type Ping as WirePing,
  type Plan as WirePlan,
  type Refusal as WireRefusal,
  type Waiting as WireWaiting,
} from "@evm/protocol";
import { z } from "zod";
import { codec, filled, wireEnum } from "./codec.ts";
import { everyOf, uint64 } from "./fields.ts";
import * as schema from "./state-schema.ts";

const severity = wireEnum({
  info: Severity.INFO,
  warning: Severity.WARNING,
  error: Severity.ERROR,
});
const actionKind = wireEnum({
  create: ActionKind.CREATE,
  replace: ActionKind.REPLACE,
  move: ActionKind.MOVE,
  restart: ActionKind.RESTART,
  resume: ActionKind.RESUME,
  stop: ActionKind.STOP,
  discard: ActionKind.DISCARD,
  forget: ActionKind.FORGET,
});

/** An event as it is appended; its sequence is the server's to set. */
export const eventCodec = codec({
  what: "event",
  desc: EventSchema,
  schema: schema.eventRecord,
  init: eventInit,
  shape: eventShape,
});

/** An event as it is read back, with its sequence. */
export const storedEventCodec = codec({
  what: "event",
  desc: EventSchema,
  schema: z.object({ sequence: uint64, event: schema.eventRecord }),
  init: ({ sequence, event }: StoredEvent) => ({
    ...eventInit(event),
    sequence: BigInt(sequence),
  }),
  shape: (wire: WireEvent) => ({ sequence: Number(wire.sequence), event: eventShape(wire) }),
});

export const heartbeatCodec = codec({
  what: "heartbeat",
  desc: HeartbeatSchema,
  schema: schema.heartbeat,
  init: ({ host, agent, epoch, generation }: Heartbeat) => ({
    host,
    agent,
    epoch: BigInt(epoch),
    generation: BigInt(generation),
  }),
  shape: ({ host, agent, epoch, generation }: WireHeartbeat) => ({
    host,
    agent,
    epoch: Number(epoch),
    generation: Number(generation),
  }),
});

export const leaseGrantCodec = codec({
  what: "lease",
  desc: LeaseGrantSchema,
  schema: schema.leaseGrant,
  init: ({ epoch, leaseMs }: LeaseGrant) => ({ epoch: BigInt(epoch), leaseMs }),
  shape: ({ epoch, leaseMs }: WireLeaseGrant) => ({ epoch: Number(epoch), leaseMs }),
});

export const pingCodec = codec({
  what: "ping",
  desc: PingSchema,
  schema: schema.ping,
  init: ({ epoch, leader }: Ping) => ({ epoch: BigInt(epoch), leader }),
  shape: ({ epoch, leader }: WirePing) => ({ epoch: Number(epoch), leader }),
});

export const actionCodec = codec({
  what: "action",
  desc: ActionSchema,
  schema: schema.action,
  init: actionInit,
  shape: actionShape,
});

export const refusalCodec = codec({
  what: "refusal",
  desc: RefusalSchema,
  schema: schema.refusal,
  init: refusalInit,
  shape: refusalShape,
});

export const waitingCodec = codec({
  what: "waiting",
  desc: WaitingSchema,
  schema: schema.waiting,
  init: waitingInit,
  shape: waitingShape,
});

/** A plan as people see it: what it comes to, without the orders that would carry it out. */
export type ShownPlan = Pick<Forecast, "actions" | "waiting"> & {
  readonly notes: readonly string[];
};

export const planCodec = codec<ShownPlan, typeof PlanSchema>({
  what: "plan",
  desc: PlanSchema,
  schema: z.object({
    actions: everyOf(schema.forecastAction),
    waiting: everyOf(schema.waiting),
    notes: everyOf(z.string()),
  }),
  init: ({ actions, waiting, notes }) => ({
    actions: actions.map((action) => ({ ...actionInit(action), wave: action.wave })),
    waiting: waiting.map(waitingInit),
    notes: [...notes],
  }),
  shape: ({ actions, waiting, notes }: WirePlan) => ({
    actions: actions.map((action) => ({ ...actionShape(action), wave: action.wave })),
    waiting: waiting.map(waitingShape),
    notes,
  }),
});

function eventInit({ at, fleet, instance, host, ...event }: EventRecord) {
  return {
    atMs: BigInt(at),
    source: event.source,
    severity: severity.toWire(event.severity),
    reason: event.reason,
    fleet: fleet ?? "",
    instance: instance ?? "",
    host: host ?? "",
    text: event.text,
  };
}

function eventShape(wire: WireEvent) {
  return {
    at: Number(wire.atMs),
    source: wire.source,
    severity: severity.shape(wire.severity),
    reason: wire.reason,
    fleet: filled(wire.fleet),
    instance: filled(wire.instance),
    host: filled(wire.host),
    text: wire.text,
  };
}

function actionInit({ kind, from, ...action }: Action) {
  return { ...action, kind: actionKind.toWire(kind), fromHost: from ?? "" };
}

function actionShape(wire: WireAction) {
  return {
    kind: actionKind.shape(wire.kind),
    instance: wire.instance,
    fleet: wire.fleet,
    incarnation: wire.incarnation,
    host: wire.host,
    from: filled(wire.fromHost),
    reason: wire.reason,
  };
}

function refusalInit({ rule, hosts, text }: Refusal) {
  return { rule, hosts, text };
}

function refusalShape({ rule, hosts, text }: WireRefusal) {
  return { rule, hosts, text };
}

function waitingInit({ instance, fleet, reason, refusals }: Waiting) {
  return { instance, fleet, reason, refusals: refusals.map(refusalInit) };
}

function waitingShape({ instance, fleet, reason, refusals }: WireWaiting) {
  return { instance, fleet, reason, refusals: refusals.map(refusalShape) };
}
