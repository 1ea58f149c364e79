import { nameSome, type Rule } from "../rule.ts";

/** Only a host that is up, active and has reported gets anything new. */
export const hostOpen: Rule = {
  name: "host",
  admits: (host) => host.isOpen,
  explain: (refused) =>
    `needs a host that is up and active; ${nameSome(
      refused.map((host) => `${host.name} is ${host.closedBecause}`),
    )}`,
};
