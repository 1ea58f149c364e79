import type { HostLoad } from "../host-load.ts";
import { greatest, type Rule } from "../rule.ts";

const free = (host: HostLoad): number => host.limit.memoryMib - host.memoryMib;

/** Promised memory stays within capacity times overcommit (I3). */
export const memoryFits: Rule = {
  name: "memory",
  admits: (host, { resources: { memoryMib } }) => memoryMib === 0 || memoryMib <= free(host),
  explain: (refused, { resources }) => {
    const best = greatest(refused, free);
    const most = best === undefined ? "0" : `${inMib(free(best))} on ${best.name}`;
    return `needs ${resources.memoryMib} MiB of memory; the most that is free is ${most}`;
  },
};

const inMib = (amount: number): string => `${Math.max(0, Math.floor(amount))} MiB`;
