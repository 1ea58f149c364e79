import { nameSome, type Rule } from "../rule.ts";

/** The host has a driver for this kind of template, and it works. */
export const driverUsable: Rule = {
  name: "driver",
  admits: (host, { kind }) => host.drivers.get(kind)?.isUsable === true,
  explain: (refused, { kind }) => {
    const reasons = refused.map((host) => {
      const detail = host.drivers.get(kind)?.detail;
      return `${host.name}: ${detail ?? "has none"}`;
    });
    return `needs a usable ${kind} driver; ${nameSome(reasons)}`;
  },
};
