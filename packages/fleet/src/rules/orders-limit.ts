import { nameSome, type Rule } from "../rule.ts";

/**
 * The most entries in one orders document. An entry takes 115 bytes, with the longest names 180,
 * and a document above 500 kB is refused: this leaves 140 kB for the templates.
 */
export const MAX_ENTRIES_PER_HOST = 2_000;

/** The host's orders have room for one more entry. */
export const ordersLimit: Rule = {
  name: "orders-limit",
  admits: (host, { entries }) => host.entries + entries <= MAX_ENTRIES_PER_HOST,
  explain: (refused) =>
    `needs a host with fewer than ${MAX_ENTRIES_PER_HOST} instances; ` +
    `as many are on ${nameSome(refused.map((host) => host.name))}`,
};
