import type { Patch } from "../mutation.ts";

export const replaced = (file: string, find: string, replace: string): Patch => ({
  file,
  find,
  replace,
});

/** Takes one check out of the second opinion. */
export const without = (check: string): Patch =>
  replaced("fleet/src/check.ts", `    ...${check},\n`, "");
