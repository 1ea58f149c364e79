/** Durations as operators write them: a number and a unit. */
import { z } from "zod";
import { MAX_DURATION_MS } from "./fields.ts";

const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNITS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `10s`, `500ms`, `2m`, `1.5h`; undefined for what is not a duration. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = ""] = PATTERN.exec(text) ?? [];
  const factor = UNITS[unit];
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

/** A duration in the fleet file; becomes milliseconds. */
export function duration(minimumMs = 0) {
  const bound = minimumMs === 0 ? "" : `, at least ${minimumMs}ms`;
  const expected = `a duration like 500ms, 10s, 2m or 1h${bound}, at most 30d`;
  const typed = z.string({ error: expected }).meta({ pattern: PATTERN.source });
  return typed.transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minimumMs && ms <= MAX_DURATION_MS) return ms;
    context.issues.push({ code: "custom", message: expected, input: text });
    return z.NEVER;
  });
}
