import type { Instance } from "@evm/protocol";
import type { Context } from "../context.ts";
import { phaseText } from "../output/format.ts";
import { countText, missingLines } from "./missing.ts";
import { instanceStates } from "./states.ts";
import { waitFor } from "./wait-for.ts";

export type InstanceWait = {
  /** Empty: those of all fleets. */
  readonly fleet: string;
  /** Of all instances those that are not yet as they shall be. */
  readonly pending: (instances: readonly Instance[]) => readonly Instance[];
  readonly timeoutMs: number;
};

/** More names on one line are not read. */
const MAX_NAMED = 3;

/** Returns all instances as they are once none is pending. */
export const waitForInstances = (
  context: Context,
  { fleet, pending, timeoutMs }: InstanceWait,
): Promise<readonly Instance[]> =>
  waitFor(context, {
    watch: (signal) => instanceStates(context, fleet, signal),
    isDone: (instances) => pending(instances).length === 0,
    progress: (instances) => `waiting for ${named(pending(instances))}`,
    timeoutMs,
    missing: async (instances) => {
      const left = pending(instances);
      return [`${countText(left.length)} left`, ...(await missingLines(context, left))].join("\n");
    },
  });

/** `web-0001 (stopping), web-0002 (ready) and 4 more` */
function named(instances: readonly Instance[]): string {
  const shown = instances.slice(0, MAX_NAMED).map(describe).join(", ");
  const more = instances.length - MAX_NAMED;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function describe({ name, phase, reason }: Instance): string {
  return `${name} (${[phaseText(phase), reason].filter((text) => text !== "").join(": ")})`;
}
