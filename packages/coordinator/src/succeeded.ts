import type { Heartbeat, InstanceName } from "@evm/fleet";
import type { ControlState } from "@evm/store";

/**
 * True where a host still goes by orders from before one of its instances was ordered elsewhere:
 * it was lost, and is back. It can be promised nothing until it has applied its newest orders. What
 * is desired of the successor makes no difference: one that is to end may be alive still.
 */
export function isSucceeded(
  { host, generation }: Heartbeat,
  orders: ControlState["orders"],
): boolean {
  const own = orders.get(host)?.value;
  if (own === undefined || generation >= own.generation) return false;
  const ended = new Map<InstanceName, number>();
  for (const { name, incarnation, desired } of own.instances) {
    if (desired !== "run") ended.set(name, Math.min(incarnation, ended.get(name) ?? incarnation));
  }
  return [...orders.values()].some(
    ({ value }) =>
      value.host !== host &&
      value.instances.some((one) => one.incarnation > (ended.get(one.name) ?? one.incarnation)),
  );
}
