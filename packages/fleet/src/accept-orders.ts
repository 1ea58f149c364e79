/** What an agent does with orders that arrive, in whatever order and however often (I5). */
import type { AgentId } from "./ids.ts";
import type { Orders } from "./orders.ts";
import { isSame } from "./same.ts";

export type Acceptance =
  | { readonly kind: "accepted" }
  /** The very orders that the agent already has. */
  | { readonly kind: "same" }
  /** They are for another machine that bears the host's name. */
  | { readonly kind: "foreign" }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Decides whether `incoming` may replace `current`, the orders that the agent last accepted.
 *
 * @param agent whose decision it is
 */
export function acceptOrders(
  agent: AgentId,
  current: Orders | undefined,
  incoming: Orders,
): Acceptance {
  if (incoming.generation === 0) return refused("they are none: a restore left this host out");
  const isForeign = incoming.agent !== agent;
  if (current === undefined) return { kind: isForeign ? "foreign" : "accepted" };
  if (incoming.host !== current.host) {
    return refused(`they are for ${incoming.host}, this is ${current.host}`);
  }
  if (incoming.epoch < current.epoch) {
    return refused(`epoch ${incoming.epoch} is older than ${current.epoch}`);
  }
  if (incoming.generation < current.generation) {
    return refused(`generation ${incoming.generation} is older than ${current.generation}`);
  }
  if (isForeign) return { kind: "foreign" };
  if (incoming.generation > current.generation) return { kind: "accepted" };
  if (isSame(incoming, current)) return { kind: "same" };
  return refused(`generation ${incoming.generation} was accepted before with other content`);
}

const refused = (reason: string): Acceptance => ({ kind: "refused", reason });
