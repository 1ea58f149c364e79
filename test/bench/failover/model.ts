/** What the parts of the failover bench hand back. */

/** One thing, done so often by one system. */
export type Row = {
  readonly what: string;
  readonly system: string;
  /** How long it took each time. */
  readonly ms: readonly number[];
  /** What the median is to be below. */
  readonly goalMs?: number;
};

export type PartOptions = {
  readonly rounds: number;
  /** How many containers are updated. */
  readonly containers: number;
  /** Told what goes on. */
  readonly tell: (text: string) => void;
};

/** The same words on both sides, so that the rows stand together. */
export const WHAT = {
  takeover: "leader killed → a write is carried out",
  hostLoss: "host without power → all of it runs elsewhere",
  drain: "drain of a host with 20 instances, all at once",
  updateByTen: "update of all containers, 10 at a time",
  updateOneByOne: "update of all containers, one by one",
  containerCrash: "container killed → started",
  vmCrash: "VM killed → started",
} as const;

/** Runs until it is asked to end, and ends at once then. Costs nothing meanwhile. */
export const IDLE = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done';

/** Of every container. What it may use of a CPU limits also how fast Docker starts it. */
export const LIMITS = { vcpuMillis: 1_000, memoryMib: 16 } as const;

/** The same rack for all. */
export const HOSTS = 4;
export const DRAINED = 20;
/** Of the slowest part, on a busy machine. */
export const PATIENCE_MS = 600_000;
/** Small beside what is measured, and little burden for who is measured. */
export const LOOK_INTERVAL_MS = 50;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [Math.floor((sorted.length - 1) / 2), Math.ceil((sorted.length - 1) / 2)];
  return ((sorted[low] ?? Number.NaN) + (sorted[high] ?? Number.NaN)) / 2;
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}
