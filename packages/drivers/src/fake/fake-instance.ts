/** One instance of a fake runtime: what runs in it, and where its life stands. */
import type { Instant, Template } from "@evm/fleet";
import type { DriverInstance, InstanceSpec } from "../driver.ts";
import type { FakeLog } from "./fake-log.ts";

/** What runs inside an instance, from each start on. */
export type FakeProgram = {
  /** Counted from its start; undefined: its readiness shows only by `setReady`. */
  readonly readyAfterMs: number | undefined;
  /** Counted from its start; undefined: it runs until it is stopped. */
  readonly endsAfterMs: number | undefined;
  /** How it ends by itself. */
  readonly exitCode: number;
  /** Does not end when asked, only by force. */
  readonly isStubborn: boolean;
  readonly output: string;
};

export const DEFAULT_PROGRAM: FakeProgram = {
  readyAfterMs: 0,
  endsAfterMs: undefined,
  exitCode: 0,
  isStubborn: false,
  output: "",
};

export type FakeLife =
  | { readonly phase: "created" }
  | {
      readonly phase: "up";
      readonly startedAt: Instant;
      readonly program: FakeProgram;
      readonly isReady: boolean;
      readonly isOverdue: boolean;
      /** Fires when it ends, so that nothing waits for what can no longer happen. */
      readonly end: AbortController;
    }
  | {
      readonly phase: "exited";
      readonly startedAt: Instant;
      readonly exit: "success" | "failure";
      readonly reason: string | undefined;
    };

export type FakeInstance = {
  readonly spec: InstanceSpec;
  readonly log: FakeLog;
  life: FakeLife;
};

/** How long a readiness may take; undefined where the template has none. */
export function readinessTimeoutMs(template: Template): number | undefined {
  if (template.kind === "vm") return template.readiness?.timeoutMs;
  const check = template.healthCheck;
  if (check === undefined) return undefined;
  return check.startPeriodMs + check.retries * (check.intervalMs + check.timeoutMs);
}

/** What a driver shows of it. */
export function viewOf({ spec, life }: FakeInstance): DriverInstance {
  const { name, incarnation, fleet, index, templateDigest } = spec;
  return { name, incarnation, fleet, index, templateDigest, address: undefined, ...stateOf(life) };
}

function stateOf(life: FakeLife): Pick<DriverInstance, "state" | "exit" | "reason" | "startedAt"> {
  switch (life.phase) {
    case "created":
      return { state: "created", exit: undefined, reason: undefined, startedAt: undefined };
    case "up":
      return {
        state: life.isReady ? "ready" : "running",
        exit: undefined,
        reason: life.isOverdue && !life.isReady ? "its readiness did not show in time" : undefined,
        startedAt: life.startedAt,
      };
    case "exited":
      return {
        state: "exited",
        exit: life.exit,
        reason: life.reason,
        startedAt: life.startedAt,
      };
  }
}
