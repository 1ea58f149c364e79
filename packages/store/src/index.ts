export { EventOutbox, type EventOutboxOptions } from "./event-outbox.ts";
export type { MemoryStore } from "./memory/memory-store.ts";
export { createMemoryStore } from "./memory/memory-store.ts";
export type { CoordinatorOptions } from "./nats/coordinator.ts";
export { connectCoordinator } from "./nats/coordinator.ts";
export type { HostOptions } from "./nats/host.ts";
export { connectHost } from "./nats/host.ts";
export type {
  ClaimOutcome,
  CommitOutcome,
  CommitRequest,
  ControlState,
  CoordinatorStore,
  Epoch,
  EventQuery,
  EventRecord,
  Heartbeat,
  HostRecord,
  HostStore,
  HostStream,
  HostVerb,
  LeaseGrant,
  Ping,
  RestoreOutcome,
  RestoreRequest,
  StoreConnection,
  StoredEvent,
  StoreErrorCode,
  VerbHandler,
  Versioned,
  Write,
  WriteOutcome,
} from "./store.ts";
export {
  MAX_COMMIT_WRITES,
  MAX_ORDERS_BYTES,
  StoreError,
} from "./store.ts";
export type { Frame } from "./verb-stream.ts";
export { failOnAbort, runHandler, VerbStream } from "./verb-stream.ts";
