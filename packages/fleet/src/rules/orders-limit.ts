import { nameSome, type Rule } from "../rule.ts";

/**
 * The most entries in one orders document. An entry takes up to 100 bytes, and a document above
 * 500 kB is refused: a NATS message holds 1 MiB.
 */
export const MAX_ENTRIES_PER_HOST = 5_000;

/** The host's orders have room for one more entry. */
export const ordersLimit: Rule = {
  name: "orders-limit",
  admits: (host, { entries }) => host.entries + entries <= MAX_ENTRIES_PER_HOST,
  explain: (refused) =>
    `needs a host with fewer than ${MAX_ENTRIES_PER_HOST} instances; ` +
    `as many are on ${nameSome(refused.map((host) => host.name))}`,
};
