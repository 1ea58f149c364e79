import type { HostLoad } from "../host-load.ts";
import { greatest, type Rule } from "../rule.ts";

const free = (host: HostLoad): number => host.limit.vcpuMillis - host.vcpuMillis;

/** Promised virtual CPUs stay within capacity times overcommit (I3). */
export const vcpuFits: Rule = {
  name: "vcpu",
  admits: (host, { resources: { vcpuMillis } }) => vcpuMillis === 0 || vcpuMillis <= free(host),
  explain: (refused, { resources }) => {
    const best = greatest(refused, free);
    const most = best === undefined ? "0" : `${inCpus(Math.max(0, free(best)))} on ${best.name}`;
    return `needs ${inCpus(resources.vcpuMillis)} vCPUs; the most that is free is ${most}`;
  },
};

const inCpus = (millis: number): string => String(Math.floor(millis) / 1000);
