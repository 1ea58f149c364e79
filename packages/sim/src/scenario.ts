/** How large a world is, how long things go wrong in it, and how often. */
export type Scenario = {
  readonly name: string;
  readonly hosts: number;
  readonly coordinators: number;
  readonly fleets: number;
  /** Of all fleets together, about. */
  readonly instances: number;
  /** A host's, drawn by seed between these. */
  readonly vcpus: readonly [least: number, most: number];
  readonly memoryMib: number;
  /** What coordinators grant; faults last the longer for it, so that hosts are lost by them. */
  readonly leaseMs: number;
  /** How long things go wrong. */
  readonly faultsMs: number;
  /** How long it may take afterwards until all is as declared (I7). */
  readonly restMs: number;
  /** Between two faults of one kind, drawn by seed and kind between these. */
  readonly gapMs: readonly [least: number, most: number];
  /** How likely a seed loses the control state: rare, for all else waits until it is restored. */
  readonly controlLossRate: number;
  /** How likely a seed replaces machines, with all that they had, by others of their name. */
  readonly replacementRate: number;
  /** True where lasting faults come and go, as bad weather does. */
  readonly hasSpells: boolean;
  /** Between two things that operators do. */
  readonly pauseMs: readonly [least: number, most: number];
  /** How many extra instances an update may have, at most. */
  readonly maxSurge: number;
  /** Between two restarts of what crashes again and again, at most. */
  readonly maxBackoffMs: number;
};

/**
 * A step that failed for good is tried again after a minute, guests are given half a minute to
 * end, and a rolling update does one after the other.
 */
const REST_MS = 300_000;

const COMMON = {
  leaseMs: 6_000,
  controlLossRate: 0.12,
  replacementRate: 0,
  hasSpells: false,
  maxSurge: 0,
  maxBackoffMs: 4_000,
} as const satisfies Partial<Scenario>;

/** As many faults as can be told apart: finds most in the least time. */
const SMALL = {
  ...COMMON,
  name: "small",
  hosts: 3,
  coordinators: 2,
  fleets: 3,
  instances: 7,
  vcpus: [6, 12],
  memoryMib: 16_384,
  faultsMs: 60_000,
  restMs: REST_MS,
  gapMs: [3_000, 25_000],
  pauseMs: [500, 8_000],
} as const satisfies Scenario;

/** What operators run: a rack of hosts that has a bad hour. */
const RACK = {
  ...COMMON,
  name: "rack",
  hosts: 50,
  coordinators: 3,
  fleets: 14,
  instances: 1_000,
  vcpus: [34, 44],
  memoryMib: 65_536,
  faultsMs: 1_800_000,
  restMs: 1_200_000,
  gapMs: [60_000, 600_000],
  pauseMs: [20_000, 180_000],
} as const satisfies Scenario;

export const SCENARIOS = {
  small: SMALL,
  /** The same, where updates have extra instances. */
  surge: { ...SMALL, name: "surge", maxSurge: 2 },
  /** The same, where the control state is always lost. */
  loss: { ...SMALL, name: "loss", controlLossRate: 1 },
  /** The same, where machines are replaced. */
  replaced: { ...SMALL, name: "replaced", replacementRate: 1, controlLossRate: 0.3 },
  /** Enough hosts that it matters how many are silent at once. */
  row: {
    ...COMMON,
    name: "row",
    hosts: 8,
    coordinators: 3,
    fleets: 4,
    instances: 40,
    vcpus: [8, 14],
    memoryMib: 32_768,
    faultsMs: 120_000,
    restMs: REST_MS,
    gapMs: [6_000, 50_000],
    pauseMs: [2_000, 20_000],
  },
  rack: RACK,
  /** What only time shows: the rack over a day and a night. */
  day: {
    ...RACK,
    name: "day",
    leaseMs: 60_000,
    faultsMs: 86_400_000,
    gapMs: [1_200_000, 14_400_000],
    hasSpells: true,
    pauseMs: [300_000, 3_600_000],
    // As by default: hours of a crash loop are as long as any, and show no more.
    maxBackoffMs: 60_000,
  },
} as const satisfies Readonly<Record<string, Scenario>>;
