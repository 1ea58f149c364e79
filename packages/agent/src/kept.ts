/** What a new run of the agent would undo, which begins with the orders on disk. Pure. */
import type { Orders } from "@evm/fleet";
import type { Hold } from "./steps.ts";
import type { Subject } from "./tasks.ts";

/**
 * Why an instance is not made. A fleet that was deleted and is declared anew counts from 1 again:
 * the orders that discard what it had before name what it has now.
 */
export const UNTIL_KEPT: Hold = {
  phase: "preparing",
  reason: "waits until its orders are on this host's disk: those that are would discard it",
  until: undefined,
};

/** @param kept the orders on disk; undefined where there are none */
export const isDoomed = (
  kept: Orders | undefined,
  { name, incarnation }: Pick<Subject, "name" | "incarnation">,
): boolean =>
  kept?.instances.some(
    (one) => one.desired === "discard" && one.name === name && one.incarnation === incarnation,
  ) === true;
