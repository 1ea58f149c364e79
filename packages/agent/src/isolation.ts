/** What `onIsolation: stop` means to an agent beside the stop itself. Pure. */
import type { Orders } from "@evm/fleet";
import type { Hold } from "./steps.ts";
import { keyOf, type Subject, subjectsToRun } from "./tasks.ts";

/** Why an instance of such a fleet is not begun. */
export const WITHOUT_LEASE: Hold = {
  phase: undefined,
  reason: "waits for a lease: its fleet says onIsolation: stop, and no coordinator answers",
  until: undefined,
};

/** True where the instance must not run without a lease. */
export const stopsInIsolation = (orders: Orders, { fleet }: Pick<Subject, "fleet">): boolean =>
  orders.fleets.some((one) => one.name === fleet && one.onIsolation === "stop");

/** What would run, were it not for the end of the lease, and is not `isBusy` ending. */
export function waitingForLease(
  orders: Orders,
  isBusy: (key: string) => boolean,
): readonly Subject[] {
  const subjects = subjectsToRun(orders);
  return subjects.filter((one) => stopsInIsolation(orders, one) && !isBusy(keyOf(one)));
}
