/** How long recoveries took, beside how long they may take. */
import { eventually } from "../../support/eventually.ts";

export type Measurement = {
  readonly what: string;
  /** What EVM promises, on a machine that does nothing else. */
  readonly boundMs: number;
  readonly tookMs: number;
};

/** Machines that run these tests are busy: only a time far beyond the bound is a failure. */
const SLACK = 3;
/** However short the bound, a busy machine may let a process wait so long for its turn. */
const LEAST_PATIENCE_MS = 10_000;

/** Often enough to measure tenths of seconds. */
const LOOK_INTERVAL_MS = 50;

export class Measurements {
  readonly all: Measurement[] = [];

  /** Waits until `look` finds something, which it shall within the bound from `sinceMs` on. */
  async measure<T>(
    { what, boundMs, sinceMs }: Omit<Measurement, "tookMs"> & { readonly sinceMs: number },
    look: () => Promise<T | undefined> | T | undefined,
    state?: () => unknown,
  ): Promise<T> {
    const limitMs = Math.max(SLACK * boundMs, LEAST_PATIENCE_MS);
    const patienceMs = sinceMs + limitMs - performance.now();
    const waiting = { patienceMs, intervalMs: LOOK_INTERVAL_MS };
    const found = await eventually(what, look, state ? { ...waiting, state } : waiting);
    this.all.push({ what, boundMs, tookMs: performance.now() - sinceMs });
    return found;
  }

  /** A table, one line for each thing that was measured, with the median of its times. */
  describe(): string {
    const rows = [...Map.groupBy(this.all, ({ what }) => what)].map(([what, same]) => {
      const times = same.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
      const seconds = (ms = 0) => (ms / 1000).toFixed(1).padStart(7);
      const [median, worst] = [times[Math.floor((times.length - 1) / 2)], times.at(-1)];
      const bound = seconds(same[0]?.boundMs);
      const isLate = (median ?? 0) > (same[0]?.boundMs ?? 0) ? "  beyond its bound" : "";
      return `${what.padEnd(58)}${seconds(median)}${seconds(worst)}${bound}${isLate}`;
    });
    const heading = `${"recovery, in seconds".padEnd(58)} median  worst  bound`;
    return [heading, ...rows].join("\n");
  }
}
