import { nameSome, type Rule } from "../rule.ts";

/** No fleet runs on the host that this one is to be kept apart from. */
export const apartFrom: Rule = {
  name: "apart-from",
  admits: (host, { apartFrom: others }) => {
    for (const fleet of others) if (host.hasFleet(fleet)) return false;
    return true;
  },
  explain: (refused, { apartFrom: others }) => {
    const present = [...others].filter((fleet) => refused.some((host) => host.hasFleet(fleet)));
    const hosts = nameSome(refused.map((host) => host.name));
    return `needs a host without instances of ${nameSome(present)}; they are on ${hosts}`;
  },
};
