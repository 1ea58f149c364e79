/** Things that happened, for people and for audit; no decision depends on them. */
import type { Instant } from "./report.ts";

export type Severity = "info" | "warning" | "error";

export type EventRecord = {
  readonly at: Instant;
  /** `coordinator/<id>` or `host/<name>`. */
  readonly source: string;
  readonly severity: Severity;
  /** What kind of thing, in CamelCase: `InstanceReady`, `HostLost`, `FleetApplied`. */
  readonly reason: string;
  readonly fleet: string | undefined;
  readonly instance: string | undefined;
  readonly host: string | undefined;
  readonly text: string;
};

/** An event with its position in the stream; later events have greater ones. */
export type StoredEvent = { readonly sequence: number; readonly event: EventRecord };
