// virDomainState and its reasons, virDomainEventType and its details: names at their numbers.

const states = [
  { state: "no-state", reasons: ["unknown"] },
  {
    state: "running",
    reasons: [
      "unknown",
      "booted",
      "migrated",
      "restored",
      "from-snapshot",
      "unpaused",
      "migration-canceled",
      "save-canceled",
      "wakeup",
      "crashed",
      "postcopy",
      "postcopy-failed",
    ],
  },
  { state: "blocked", reasons: ["unknown"] },
  {
    state: "paused",
    reasons: [
      "unknown",
      "user",
      "migration",
      "save",
      "dump",
      "io-error",
      "watchdog",
      "from-snapshot",
      "shutting-down",
      "snapshot",
      "crashed",
      "starting-up",
      "postcopy",
      "postcopy-failed",
    ],
  },
  { state: "shutdown", reasons: ["unknown", "user"] },
  {
    state: "shutoff",
    reasons: [
      "unknown",
      "shutdown",
      "destroyed",
      "crashed",
      "migrated",
      "saved",
      "failed",
      "from-snapshot",
      "daemon",
    ],
  },
  { state: "crashed", reasons: ["unknown", "panicked"] },
  { state: "pm-suspended", reasons: ["unknown"] },
] as const;

const events = [
  { event: "defined", details: ["added", "updated", "renamed", "from-snapshot"] },
  { event: "undefined", details: ["removed", "renamed"] },
  { event: "started", details: ["booted", "migrated", "restored", "from-snapshot", "wakeup"] },
  {
    event: "suspended",
    details: [
      "paused",
      "migrated",
      "io-error",
      "watchdog",
      "restored",
      "from-snapshot",
      "api-error",
      "postcopy",
      "postcopy-failed",
    ],
  },
  {
    event: "resumed",
    details: ["unpaused", "migrated", "from-snapshot", "postcopy", "postcopy-failed"],
  },
  {
    event: "stopped",
    details: ["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot"],
  },
  { event: "shutdown", details: ["finished", "guest", "host"] },
  { event: "pm-suspended", details: ["memory", "disk"] },
  { event: "crashed", details: ["panicked", "crashloaded"] },
] as const;

export type DomainStateName = (typeof states)[number]["state"];
export type DomainStateReason = (typeof states)[number]["reasons"][number];
export type LifecycleEventName = (typeof events)[number]["event"];
export type LifecycleEventDetail = (typeof events)[number]["details"][number];

/** virDomainState with its reason. `unknown` is what this client has no name for. */
export interface DomainState {
  readonly state: DomainStateName | "unknown";
  readonly reason: DomainStateReason;
}

/** virDomainEventType with its detail. `unknown` is what this client has no name for. */
export interface LifecycleChange {
  readonly event: LifecycleEventName | "unknown";
  readonly detail: LifecycleEventDetail | "unknown";
}

/** Names for the numbers in the statistics `state.state` and `state.reason`. */
export function domainState(state: number, reason: number): DomainState {
  const known = states[state];
  return { state: known?.state ?? "unknown", reason: known?.reasons[reason] ?? "unknown" };
}

/** Names for the numbers of a lifecycle event. */
export function lifecycleChange(event: number, detail: number): LifecycleChange {
  const known = events[event];
  return { event: known?.event ?? "unknown", detail: known?.details[detail] ?? "unknown" };
}
