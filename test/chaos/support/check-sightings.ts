/** Whether what the outside eye has seen is what may be seen. Pure. */
import type { Seen, Sighting } from "../../support/world/eye.ts";

export type Expectation = {
  /** Whether a fleet has `onIsolation: stop`. */
  readonly isExclusive: (fleet: string) => boolean;
  /** Of every fleet that anyone has ever asked for: the largest size. */
  readonly largest: ReadonlyMap<string, number>;
  /**
   * The stated limit of I2: when an agent was frozen or dead for longer than its lease, and could
   * not stop what it had promised to.
   */
  readonly excuses: readonly Excuse[];
};

/** Times on the clock of `performance.now()`. */
export type Excuse = { readonly host: string; readonly fromMs: number; readonly toMs: number };

/** What every look at a host from one to another has seen there. */
type Stretch = Seen & { readonly host: string; readonly fromMs: number; toMs: number };

/** A sentence for each breach. */
export function checkSightings(
  sightings: readonly Sighting[],
  expectation: Expectation,
): readonly string[] {
  const running = stretchesOf(sightings, ({ pid }) => pid !== undefined);
  const found = [
    ...incarnationsOnTwoHosts(stretchesOf(sightings, isKnown)),
    ...instancesTwice(running.filter(isKnown), expectation),
    ...neverOrdered(running, expectation),
  ];
  return [...new Set(found)];
}

const isKnown = ({ instance }: Seen): boolean => instance !== "";

function stretchesOf(
  sightings: readonly Sighting[],
  counts: (seen: Seen) => boolean,
): readonly Stretch[] {
  const all: Stretch[] = [];
  /** By host: those of the last look there. */
  const open = new Map<string, ReadonlyMap<string, Stretch>>();
  for (const { host, atMs, seen } of sightings) {
    const before = open.get(host);
    const now = new Map<string, Stretch>();
    for (const one of seen.filter(counts)) {
      let stretch = before?.get(one.id);
      if (stretch === undefined || stretch.instance !== one.instance) {
        stretch = { ...one, host, fromMs: atMs, toMs: atMs };
        all.push(stretch);
      }
      stretch.toMs = atMs;
      now.set(one.id, stretch);
    }
    open.set(host, now);
  }
  return all;
}

/**
 * I1: what was ordered on one host exists nowhere else, running or not. Once it has been removed,
 * an instance of this name may begin anew.
 */
function incarnationsOnTwoHosts(stretches: readonly Stretch[]): readonly string[] {
  return overlaps(stretches, nameOf).flatMap(({ one, other, fromMs, toMs }) => {
    if (one.host === other.host) return [];
    const hosts = [one.host, other.host].sort().join(" and on ");
    return [`I1: ${nameOf(one)} existed on ${hosts} at once, ${describeTime(fromMs, toMs)}`];
  });
}

/** I2 between hosts; on one host, no instance of any fleet runs twice. */
function instancesTwice(
  stretches: readonly Stretch[],
  expectation: Expectation,
): readonly string[] {
  const found = overlaps(stretches, ({ instance }) => instance);
  return found.flatMap(({ one, other, fromMs, toMs }) => {
    if (one.host !== other.host && !expectation.isExclusive(one.fleet)) return [];
    if (isExcused(expectation, one, other, fromMs, toMs)) return [];
    const [first, second] = [one, other].map((it) => `${nameOf(it)} on ${it.host}`).sort();
    return [`I2: ${first} and ${second} ran at once, ${describeTime(fromMs, toMs)}`];
  });
}

type Overlap = {
  readonly one: Stretch;
  readonly other: Stretch;
  readonly fromMs: number;
  readonly toMs: number;
};

/** Different containers of the same `key` at the same time. */
const overlaps = (
  stretches: readonly Stretch[],
  key: (stretch: Stretch) => string,
): readonly Overlap[] =>
  [...Map.groupBy(stretches, key).values()].flatMap((same) =>
    same.flatMap((one, at) =>
      same.slice(at + 1).flatMap((other) => {
        const fromMs = Math.max(one.fromMs, other.fromMs);
        const toMs = Math.min(one.toMs, other.toMs);
        const isSame = one.id === other.id;
        return isSame || toMs < fromMs ? [] : [{ one, other, fromMs, toMs }];
      }),
    ),
  );

function isExcused(
  { excuses }: Expectation,
  one: Stretch,
  other: Stretch,
  fromMs: number,
  toMs: number,
): boolean {
  return excuses.some(
    (excuse) =>
      (excuse.host === one.host || excuse.host === other.host) &&
      excuse.fromMs <= fromMs &&
      toMs <= excuse.toMs,
  );
}

function neverOrdered(stretches: readonly Stretch[], { largest }: Expectation): readonly string[] {
  return stretches.flatMap((stretch) => {
    const { instance, fleet, host, id, fromMs, toMs } = stretch;
    if (instance === "") {
      // Seen once, it was on its way in or out.
      return fromMs === toMs ? [] : [`nobody's: ${id} ran on ${host}`];
    }
    const size = largest.get(fleet) ?? 0;
    const index = Number(instance.slice(fleet.length + 1));
    if (index < size) return [];
    return [`not ordered: ${nameOf(stretch)} ran on ${host}; ${fleet} had at most ${size}`];
  });
}

const describeTime = (fromMs: number, toMs: number): string =>
  `from ${(fromMs / 1000).toFixed(2)} s on for ${Math.round(toMs - fromMs)} ms or more`;

const nameOf = ({ instance, incarnation }: Seen): string => `${instance}.${incarnation}`;
