import type { Heartbeat, HostName, InstanceName } from "@evm/fleet";
import type { ControlState } from "@evm/store";

type Place = { readonly host: HostName; readonly incarnation: number };

/** Tells hosts that still go by orders which others succeeded. */
export class Succession {
  #orders: ControlState["orders"] = new Map();
  /** Where each instance is ordered; made anew when orders change. */
  #places: ReadonlyMap<InstanceName, readonly Place[]> = new Map();

  /**
   * True where a host still goes by orders from before one of its instances was ordered elsewhere:
   * it was lost, and is back. It can be promised nothing until it has applied its newest orders;
   * nor while these are what it went by before a restore, which finds both. What is desired of the
   * successor makes no difference: one that is to end may be alive still.
   */
  isSucceeded({ host, generation }: Heartbeat, orders: ControlState["orders"]): boolean {
    const own = orders.get(host)?.value;
    if (own === undefined) return false;
    if (orders !== this.#orders) this.#index(orders);
    const isApplied = generation >= own.generation;
    return own.instances.some(({ name, incarnation, desired }) => {
      if (isApplied && desired !== "run") return false;
      const places = this.#places.get(name) ?? [];
      return places.some((other) => other.host !== host && other.incarnation > incarnation);
    });
  }

  #index(orders: ControlState["orders"]): void {
    const places = new Map<InstanceName, Place[]>();
    for (const [host, { value }] of orders) {
      for (const { name, incarnation } of value.instances) {
        const known = places.get(name);
        if (known === undefined) places.set(name, [{ host, incarnation }]);
        else known.push({ host, incarnation });
      }
    }
    this.#orders = orders;
    this.#places = places;
  }
}
