import { nameSome, type Rule } from "../rule.ts";

/**
 * Only a host that is up, active and has reported gets anything new. On a cordoned one what has its
 * disk there may run again.
 */
export const hostOpen: Rule = {
  name: "host",
  admits: (host, { isResumed }) => host.isOpen || (isResumed && host.isCordoned),
  explain: (refused) =>
    `needs a host that is up and active; ${nameSome(
      refused.map((host) => `${host.name} is ${host.closedBecause}`),
    )}`,
};
