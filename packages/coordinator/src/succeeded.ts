import type { Heartbeat, InstanceName } from "@evm/fleet";
import type { ControlState } from "@evm/store";

/**
 * True where a host still goes by orders from before one of its instances was ordered elsewhere:
 * it was lost, and is back. It can be promised nothing until it has applied its newest orders; nor
 * while these are what it went by before a restore, which finds both. What is desired of the
 * successor makes no difference: one that is to end may be alive still.
 */
export function isSucceeded(
  { host, generation }: Heartbeat,
  orders: ControlState["orders"],
): boolean {
  const own = orders.get(host)?.value;
  if (own === undefined) return false;
  const isApplied = generation >= own.generation;
  /** What it may run, the oldest of each instance. */
  const oldest = new Map<InstanceName, number>();
  for (const { name, incarnation, desired } of own.instances) {
    if (isApplied && desired !== "run") continue;
    oldest.set(name, Math.min(incarnation, oldest.get(name) ?? incarnation));
  }
  return [...orders.values()].some(
    ({ value }) =>
      value.host !== host &&
      value.instances.some((one) => one.incarnation > (oldest.get(one.name) ?? one.incarnation)),
  );
}
