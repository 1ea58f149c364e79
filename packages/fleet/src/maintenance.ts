/** Hosts that operators have emptied, and may stop without anybody missing them. */
import { isAlive } from "./phase.ts";
import type { HostView } from "./snapshot.ts";

/**
 * True where a drain is done: nothing is ordered to run on the host any more, and by its last
 * report nothing does.
 */
export const isDrained = ({ admin, orders, report }: HostView): boolean =>
  admin === "draining" &&
  orders?.instances.some(({ desired }) => desired === "run") !== true &&
  report?.instances.some(({ phase }) => isAlive(phase)) !== true;

/** True where it is drained and silent: an operator stopped it, or may have. */
export const isInMaintenance = (host: HostView): boolean =>
  host.liveness === "lost" && isDrained(host);
