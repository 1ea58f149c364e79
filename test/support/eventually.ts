import { setTimeout as delay } from "node:timers/promises";

/** What takes longer than this on a machine under load is broken. */
export const PATIENCE_MS = 90_000;

/** Each look is a process or two; a person would not look more often either. */
const LOOK_INTERVAL_MS = 200;

export type Waiting = {
  /** What there is instead, for the error. */
  readonly state?: () => unknown;
  readonly patienceMs?: number;
  readonly intervalMs?: number;
};

/**
 * Looks until `look` returns something, and returns that. Fails after `patienceMs`, with what was
 * waited for and what `state` says then.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  { state, patienceMs = PATIENCE_MS, intervalMs = LOOK_INTERVAL_MS }: Waiting = {},
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) {
      const now = JSON.stringify(await state?.(), withBigInts, 2);
      throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}; there is ${now}`);
    }
    await delay(intervalMs);
  }
}

/** Numbers of the API have 64 bits, which JSON does not write. */
const withBigInts = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? String(value) : value;
