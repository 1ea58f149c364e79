import type { Heartbeat } from "@evm/fleet";
import type { ControlState } from "@evm/store";

/**
 * True where a host still goes by orders from before one of its instances was ordered elsewhere:
 * it was lost, and is back. It can be promised nothing until it has applied its newest orders.
 */
export function isSucceeded(
  { host, generation }: Heartbeat,
  orders: ControlState["orders"],
): boolean {
  const own = orders.get(host)?.value;
  if (own === undefined || generation >= own.generation) return false;
  const ended = own.instances.filter((one) => one.desired !== "run");
  const names = new Set(ended.map((one) => one.name));
  return [...orders.values()].some(
    ({ value }) =>
      value.host !== host &&
      value.instances.some((one) => one.desired === "run" && names.has(one.name)),
  );
}
