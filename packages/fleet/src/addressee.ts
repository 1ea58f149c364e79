/**
 * Which of the machines that bear one host name is the host. Clones of one machine's image may, and
 * so may a machine that was set up anew. The orders say for which of them they are (it alone obeys
 * them, is heard, and gets a lease), and as every write of orders is fenced, all leaders agree on
 * it. Another gets them only once that one would be lost: by then its leases have ended.
 */
import type { AppliedBy } from "./control.ts";
import type { AgentId } from "./ids.ts";
import type { Orders } from "./orders.ts";
import { isAhead } from "./recall.ts";
import type { HostView } from "./snapshot.ts";

/** Whom orders that are written now are for; undefined where nobody was heard of. */
export function addressee(view: HostView): AgentId | undefined {
  const { orders, heartbeat, report, successor } = view;
  return successor ?? orders?.agent ?? heartbeat?.agent ?? report?.agent;
}

/**
 * Whether it is the host that says so, and not another of its name. Who goes by later orders than
 * are stored was given them, whatever is stored.
 *
 * @param heard who was last taken for the host; tells where no orders do
 */
export function speaksFor(
  said: AppliedBy,
  orders: Orders | undefined,
  heard: AgentId | undefined,
): boolean {
  if (isAhead(said, orders)) return true;
  const host = orders?.agent ?? heard;
  return host === undefined || host === said.agent;
}

/** Of a host whose name another machine bears as well. */
export function describeRival(view: HostView): string | undefined {
  const { name, rival, orders, heartbeat } = view;
  if (rival === undefined) return undefined;
  const host = orders?.agent ?? heartbeat?.agent ?? "another";
  const text = `two machines call themselves ${name}: agent ${rival} is refused`;
  return `${text} until agent ${host} is lost; give one of them another name`;
}
