/** When an agent starts an incarnation that ended, and when it gives up. */
import type { Instant, Observed } from "./report.ts";
import type { RestartPolicy } from "./spec.ts";
import type { RestartRecord } from "./step.ts";

export type RestartDecision =
  | { readonly kind: "start"; readonly record: RestartRecord; readonly reason: string }
  | { readonly kind: "wait"; readonly untilMs: Instant; readonly reason: string }
  | { readonly kind: "giveUp"; readonly record: RestartRecord; readonly reason: string }
  /** It ended well, and its policy leaves it at that. */
  | { readonly kind: "done" };

/**
 * Decides on an incarnation that exists, is ordered to run, and does not.
 *
 * It starts at once where it never ran or was stopped on order. Otherwise it ended, or a start of
 * it failed (`exit` is absent although there is a record), and its policy says what follows. Times
 * that lie ahead were noted before the clock was set back, and count for nothing.
 */
export function decideRestart(
  observed: Observed,
  record: RestartRecord | undefined,
  policy: RestartPolicy,
  now: Instant,
): RestartDecision {
  const { name, incarnation } = observed;
  const started = { name, incarnation, stopped: undefined, givenUp: undefined } as const;
  if (record?.stopped === "ordered" || (record === undefined && observed.exit === undefined)) {
    return { kind: "start", record: { ...started, restartedAt: [] }, reason: "ordered to run" };
  }
  const hasFailed = observed.exit !== "success" || record?.stopped === "unhealthy";
  const ending = describeEnding(observed, record);
  if (policy.mode === "never" || (policy.mode === "on-failure" && !hasFailed)) {
    if (!hasFailed) return { kind: "done" };
    return giveUp(observed, record, `${ending}; it is never restarted`);
  }

  const recent = (record?.restartedAt ?? []).filter(
    (at) => at > now - policy.windowMs && at <= now,
  );
  if (recent.length >= policy.maxRestarts) {
    const seconds = Math.round(policy.windowMs / 1000);
    return giveUp(observed, record, `${ending}, after ${recent.length} restarts in ${seconds} s`);
  }
  const since = observed.since <= now ? observed.since : 0;
  const endedAt = Math.max(since, recent.at(-1) ?? 0);
  const dueAt = endedAt + backoffMs(policy, recent.length);
  if (now < dueAt) return { kind: "wait", untilMs: dueAt, reason: `${ending}; to be restarted` };
  return {
    kind: "start",
    record: { ...started, restartedAt: [...recent, now] },
    reason: `${ending}; restart ${recent.length + 1} of ${policy.maxRestarts}`,
  };
}

/** 0 for the first restart, then `backoffMs`, doubling up to `maxBackoffMs`. */
function backoffMs(policy: RestartPolicy, restarts: number): number {
  if (restarts === 0) return 0;
  return Math.min(policy.backoffMs * 2 ** (restarts - 1), policy.maxBackoffMs);
}

function describeEnding(observed: Observed, record: RestartRecord | undefined): string {
  if (record?.stopped === "unhealthy") return "it was unhealthy";
  if (observed.exit === "success") return "it ended";
  const what =
    observed.exit === undefined ? "it did not start or was removed" : "it ended with a failure";
  return observed.reason === undefined ? what : `${what} (${observed.reason})`;
}

function giveUp(
  { name, incarnation }: Observed,
  record: RestartRecord | undefined,
  reason: string,
): RestartDecision {
  const restartedAt = record?.restartedAt ?? [];
  return {
    kind: "giveUp",
    record: { name, incarnation, restartedAt, stopped: undefined, givenUp: reason },
    reason,
  };
}
