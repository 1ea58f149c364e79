import type { Driver } from "@evm/drivers";
import type { Clock } from "@evm/fleet";
import { withDeadline } from "@evm/telemetry";
import type { AgentMetrics } from "./metrics.ts";

/**
 * How long each verb may take before it counts as failed and is tried again: long enough for the
 * slowest that is still alive, since a cut link or a hung daemon answers nothing at all.
 */
export const CALL_LIMITS_MS = {
  probe: 10_000,
  list: 10_000,
  /** Fetches images and builds containers. */
  prepare: 60 * 60_000,
  start: 120_000,
  /** On top of the time that the instance is given to end by itself. */
  stop: 60_000,
  discard: 120_000,
} as const;

export type CallOptions = {
  readonly driver: Driver;
  readonly verb: keyof typeof CALL_LIMITS_MS;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly signal: AbortSignal;
  readonly extraMs?: number;
};

/** Calls a verb of a driver: within its time limit, and measured. */
export async function callDriver<T>(
  { driver, verb, clock, metrics, signal, extraMs = 0 }: CallOptions,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const begunMs = clock.monotonicMs();
  const ms = CALL_LIMITS_MS[verb] + extraMs;
  let outcome = "ok";
  try {
    return await withDeadline({ clock, ms, signal, doing: `${driver.kind} ${verb}` }, call);
  } catch (error) {
    outcome = signal.aborted ? "cancelled" : "error";
    throw error;
  } finally {
    const seconds = (clock.monotonicMs() - begunMs) / 1000;
    metrics.driverCall.observe({ driver: driver.kind, verb, outcome }, seconds);
  }
}
