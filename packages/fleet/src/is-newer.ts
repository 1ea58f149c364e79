import { PHASES } from "./phase.ts";
import type { Observed } from "./report.ts";

/** True where `a` is the later observation: by incarnation, then restarts, then phase. */
export function isNewer(a: Observed, b: Observed): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  if (a.restarts !== b.restarts) return a.restarts > b.restarts;
  return PHASES.indexOf(a.phase) > PHASES.indexOf(b.phase);
}
