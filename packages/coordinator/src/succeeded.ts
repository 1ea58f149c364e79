import type { Applied, Heartbeat, HostName, InstanceName, Orders } from "@evm/fleet";
import type { ControlState } from "@evm/store";

type Place = { readonly host: HostName; readonly incarnation: number };

/** Tells hosts that still go by orders which others succeeded. */
export class Succession {
  #orders: ControlState["orders"] = new Map();
  /** Where each instance is ordered. */
  readonly #places = new Map<InstanceName, readonly Place[]>();
  /** What hosts went by that nothing succeeded, by these orders: they repeat it many times. */
  readonly #free = new Map<HostName, Applied & { readonly base: number }>();

  /**
   * True where a host still goes by orders from before one of its instances was ordered elsewhere:
   * it was lost, and is back. It can be promised nothing until it has applied its newest orders;
   * nor while these are what it went by before a restore, which finds both. What is desired of the
   * successor makes no difference: one that is to end may be alive still. Where a restore took the
   * host in, it may have stopped a successor there: until that is applied, what it succeeded is in
   * the way, too.
   */
  isSucceeded(
    { host, epoch, generation }: Omit<Heartbeat, "agent">,
    { orders, epoch: { base } }: Pick<ControlState, "orders" | "epoch">,
  ): boolean {
    const own = orders.get(host)?.value;
    if (own === undefined) return false;
    if (orders !== this.#orders) this.#follow(orders);
    const known = this.#free.get(host);
    if (known?.epoch === epoch && known.generation === generation && known.base === base) {
      return false;
    }
    const isApplied = generation >= own.generation;
    const isSucceeded = own.instances.some(({ name, incarnation, desired }) => {
      if (isApplied && desired !== "run") return false;
      const isAny = desired !== "run" && epoch < base;
      const isInTheWay = (other: Place): boolean =>
        other.host !== host && (isAny || other.incarnation > incarnation);
      return this.#places.get(name)?.some(isInTheWay) === true;
    });
    if (!isSucceeded) this.#free.set(host, { epoch, generation, base });
    return isSucceeded;
  }

  /** Takes up what was rewritten: a commit touches a few of thousands of hosts. */
  #follow(orders: ControlState["orders"]): void {
    const before = this.#orders;
    this.#orders = orders;
    this.#free.clear();
    for (const [host, { value }] of before) {
      if (orders.get(host)?.value !== value) this.#remove(value);
    }
    for (const [host, { value }] of orders) {
      if (before.get(host)?.value !== value) this.#add(value);
    }
  }

  #add({ host, instances }: Orders): void {
    for (const { name, incarnation } of instances) {
      this.#places.set(name, [...(this.#places.get(name) ?? []), { host, incarnation }]);
    }
  }

  #remove({ host, instances }: Orders): void {
    for (const { name } of instances) {
      const left = this.#places.get(name)?.filter((place) => place.host !== host) ?? [];
      if (left.length === 0) this.#places.delete(name);
      else this.#places.set(name, left);
    }
  }
}
