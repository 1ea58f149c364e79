import type { Ranking } from "../rule.ts";

/** `pack`: the fullest host first, so that others stay empty. */
export const pack: Ranking = (host) => host.load;
