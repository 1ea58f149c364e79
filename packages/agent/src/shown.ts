/** What people and coordinators are told of instances, and which changes are events. Pure. */
import type { Instant, Observed } from "@evm/fleet";
import type { AgentEvent } from "./events.ts";
import type { Hold } from "./steps.ts";
import { keyOf, type Subject } from "./tasks.ts";

export type ShownInput = {
  readonly observed: ReadonlyMap<string, Observed>;
  /** Steps that could not be begun, and why. */
  readonly held: readonly { readonly subject: Subject; readonly hold: Hold }[];
  readonly previous: ReadonlyMap<string, Observed>;
  readonly now: Instant;
};

/** What is observed, with the reasons for which instances wait. */
export function shownOf({ observed, held, previous, now }: ShownInput): Map<string, Observed> {
  const shown = new Map(observed);
  for (const { subject, hold } of held) {
    const key = keyOf(subject);
    const seen = observed.get(key);
    const phase = hold.phase ?? seen?.phase ?? "preparing";
    const before = previous.get(key);
    const since = before?.phase === phase ? before.since : now;
    const unseen = { restarts: 0, exit: undefined, address: undefined };
    shown.set(key, { ...unseen, ...subject, ...seen, phase, since, reason: hold.reason });
  }
  return shown;
}

/** The events that lie between two views of the host. */
export function eventsBetween(
  before: ReadonlyMap<string, Observed>,
  after: ReadonlyMap<string, Observed>,
): readonly AgentEvent[] {
  const events: AgentEvent[] = [];
  for (const [key, one] of after) {
    const event = changeOf(before.get(key), one);
    if (event !== undefined) events.push({ ...event, instance: one });
  }
  for (const [key, one] of before) {
    if (after.has(key) || (one.phase !== "running" && one.phase !== "ready")) continue;
    const text = `${key} was ${one.phase}, and is gone`;
    events.push({ severity: "warning", reason: "InstanceGone", text, instance: one });
  }
  return events;
}

function changeOf(before: Observed | undefined, now: Observed): AgentEvent | undefined {
  if (before?.phase === now.phase) return undefined;
  const key = keyOf(now);
  const because = now.reason === undefined ? "" : `: ${now.reason}`;
  switch (now.phase) {
    case "ready":
      return { severity: "info", reason: "InstanceReady", text: `${key} is ready` };
    case "failed":
      return { severity: "error", reason: "InstanceFailed", text: `${key} has failed${because}` };
    case "stopped":
      if (before?.phase === "stopping") {
        return { severity: "info", reason: "InstanceStopped", text: `${key} was stopped` };
      }
      if (now.exit === undefined) return undefined;
      return now.exit === "success"
        ? { severity: "info", reason: "InstanceExited", text: `${key} has ended` }
        : { severity: "warning", reason: "InstanceExited", text: `${key} ended badly${because}` };
    case "preparing":
    case "starting":
    case "running":
    case "stopping":
      return undefined;
  }
}
