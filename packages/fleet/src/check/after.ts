/** The cluster as it would be ordered once a plan is committed, worked out without the planner. */
import type { HostName } from "../ids.ts";
import type { OrderedInstance, Orders } from "../orders.ts";
import type { Plan } from "../plan.ts";
import type { HostView, Snapshot } from "../snapshot.ts";

export type HostChange = {
  readonly view: HostView;
  readonly before: Orders | undefined;
  readonly after: Orders | undefined;
  /** What the plan rewrites; absent where it leaves the host alone. */
  readonly written: Orders | undefined;
  /** The entries of `before`, by `entryKey`; empty where nothing is written. */
  readonly entriesBefore: ReadonlyMap<string, OrderedInstance>;
};

/** One entry of the orders after the plan, and where it is. */
export type Placed = { readonly change: HostChange; readonly entry: OrderedInstance };

export const entryKey = (one: { readonly name: string; readonly incarnation: number }): string =>
  `${one.name}/${one.incarnation}`;

export function changesOf(snapshot: Snapshot, plan: Plan): readonly HostChange[] {
  const written = new Map<HostName, Orders>(plan.orders.map((orders) => [orders.host, orders]));
  return snapshot.hosts.map((view) => {
    const rewritten = written.get(view.name);
    return {
      view,
      before: view.orders,
      after: rewritten ?? view.orders,
      written: rewritten,
      entriesBefore: rewritten === undefined ? NONE : entriesOf(view.orders),
    };
  });
}

const NONE: ReadonlyMap<string, OrderedInstance> = new Map();

const entriesOf = (orders: Orders | undefined): ReadonlyMap<string, OrderedInstance> =>
  new Map(orders?.instances.map((one) => [entryKey(one), one]));
