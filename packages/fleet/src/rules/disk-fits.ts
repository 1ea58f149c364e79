import type { HostLoad } from "../host-load.ts";
import { greatest, type Rule } from "../rule.ts";

const free = (host: HostLoad): number => host.limit.diskMib - host.diskMib;

/** Promised disk stays within capacity times overcommit (I3). */
export const diskFits: Rule = {
  name: "disk",
  admits: (host, { resources: { diskMib } }) => diskMib === 0 || diskMib <= free(host),
  explain: (refused, { resources }) => {
    const best = greatest(refused, free);
    const most = best === undefined ? "0" : `${inMib(free(best))} on ${best.name}`;
    return `needs ${resources.diskMib} MiB of disk; the most that is free is ${most}`;
  },
};

const inMib = (amount: number): string => `${Math.max(0, Math.floor(amount))} MiB`;
