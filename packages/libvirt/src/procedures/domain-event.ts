import { type LifecycleChange, lifecycleChange } from "../domain-state.ts";
import { nothing, procedure } from "../procedure.ts";
import { type Domain, type DomainRef, readDomain, writeDomain } from "../structs.ts";
import type { XdrReader } from "../xdr-reader.ts";

/** A change in the life of a domain. */
export interface LifecycleEvent extends LifecycleChange {
  readonly domain: Domain;
}

/** VIR_DOMAIN_EVENT_ID_LIFECYCLE */
export const LIFECYCLE_EVENT_ID = 0;

/** The daemon's message that carries a lifecycle event: DOMAIN_EVENT_CALLBACK_LIFECYCLE. */
export const LIFECYCLE_MESSAGE = 318;

/** The payload of that message: which registration it is for, and the event. */
export function readLifecycleMessage(reader: XdrReader): {
  readonly callbackId: number;
  readonly event: LifecycleEvent;
} {
  const callbackId = reader.int();
  const domain = readDomain(reader);
  const change = lifecycleChange(reader.int(), reader.int());
  reader.expectEnd();
  return { callbackId, event: { domain, ...change } };
}

/** Procedures that start and end the delivery of domain events. */
export const domainEventProcedures = {
  register: procedure(
    316,
    "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
    (writer, args: { readonly eventId: number; readonly domain: DomainRef | undefined }) => {
      writer.int(args.eventId);
      writer.uint(args.domain ? 1 : 0);
      if (args.domain) writeDomain(writer, args.domain);
    },
    (reader) => reader.int(),
  ),
  deregister: procedure(
    317,
    "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
    (writer, callbackId: number) => writer.int(callbackId),
    nothing,
  ),
} as const;
