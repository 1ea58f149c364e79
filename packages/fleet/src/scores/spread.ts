import type { Ranking } from "../rule.ts";

/** `spread`: the least loaded host first. */
export const spread: Ranking = (host) => 1 - host.load;
