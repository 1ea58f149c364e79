/** What `onIsolation: stop` means to an agent beside the stop itself. Pure. */
import type { Orders } from "@evm/fleet";
import type { Hold } from "./steps.ts";
import { keyOf, type Subject } from "./tasks.ts";

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
  const kindOf = new Map(orders.templates.map((one) => [one.digest, one.template.kind]));
  return orders.instances.flatMap(({ desired, ...one }) => {
    const kind = kindOf.get(one.template);
    const isWaiting = desired === "run" && stopsInIsolation(orders, one) && !isBusy(keyOf(one));
    return isWaiting && kind !== undefined ? [{ ...one, kind }] : [];
  });
}
