/**
 * Where an instance stands. Coordinators write `pending` and `placed` (they follow from orders)
 * and `lost`; agents write the rest.
 */
export const PHASES = [
  "pending",
  "placed",
  "preparing",
  "starting",
  "running",
  "ready",
  "stopping",
  "stopped",
  "failed",
  "lost",
] as const;
export type Phase = (typeof PHASES)[number];

/** The phases that an agent can observe on its host. */
export type ObservedPhase = Exclude<Phase, "pending" | "placed" | "lost">;

/** True where the instance uses CPU and memory of its host, or is about to. */
export function isAlive(phase: Phase): boolean {
  switch (phase) {
    case "preparing":
    case "starting":
    case "running":
    case "ready":
    case "stopping":
      return true;
    case "pending":
    case "placed":
    case "stopped":
    case "failed":
    case "lost":
      return false;
  }
}
