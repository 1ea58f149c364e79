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

/** A container that every look at its host from one to another has seen: it ran all the while. */
type Stretch = Seen & { readonly host: string; readonly fromMs: number; toMs: number };

/** A sentence for each breach. */
export function checkSightings(
  sightings: readonly Sighting[],
  expectation: Expectation,
): readonly string[] {
  const stretches = stretchesOf(sightings);
  const known = stretches.filter(({ instance }) => instance !== "");
  const found = [
    ...incarnationsOnTwoHosts(known),
    ...instancesTwice(known, expectation),
    ...neverOrdered(stretches, expectation),
  ];
  return [...new Set(found)];
}

function stretchesOf(sightings: readonly Sighting[]): readonly Stretch[] {
  const all: Stretch[] = [];
  /** By host: those of the last look there. */
  const open = new Map<string, ReadonlyMap<string, Stretch>>();
  for (const { host, atMs, alive } of sightings) {
    const before = open.get(host);
    const now = new Map<string, Stretch>();
    for (const seen of alive) {
      let stretch = before?.get(seen.container);
      if (stretch === undefined || stretch.instance !== seen.instance) {
        stretch = { ...seen, host, fromMs: atMs, toMs: atMs };
        all.push(stretch);
      }
      stretch.toMs = atMs;
      now.set(seen.container, stretch);
    }
    open.set(host, now);
  }
  return all;
}

/** I1, for ever. */
function incarnationsOnTwoHosts(stretches: readonly Stretch[]): readonly string[] {
  return [...Map.groupBy(stretches, nameOf)].flatMap(([name, same]) => {
    const hosts = new Set(same.map(({ host }) => host));
    return hosts.size < 2 ? [] : [`I1: ${name} ran on ${[...hosts].sort().join(" and on ")}`];
  });
}

/** I2 between hosts; on one host, no instance of any fleet runs twice. */
function instancesTwice(
  stretches: readonly Stretch[],
  expectation: Expectation,
): readonly string[] {
  return [...Map.groupBy(stretches, ({ instance }) => instance).values()].flatMap((same) =>
    same.flatMap((one, at) =>
      same.slice(at + 1).flatMap((other) => {
        const fromMs = Math.max(one.fromMs, other.fromMs);
        const forMs = Math.min(one.toMs, other.toMs) - fromMs;
        if (one.container === other.container || forMs < 0) return [];
        const isSameHost = one.host === other.host;
        if (!isSameHost && !expectation.isExclusive(one.fleet)) return [];
        if (isExcused(expectation, one, other, fromMs, fromMs + forMs)) return [];
        const [first, second] = [one, other].map((it) => `${nameOf(it)} on ${it.host}`).sort();
        return [`I2: ${first} and ${second} ran at once, for ${Math.round(forMs)} ms or more`];
      }),
    ),
  );
}

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
    const { instance, fleet, host, container, fromMs, toMs } = stretch;
    if (instance === "") {
      // Seen once, it was on its way in or out.
      return fromMs === toMs ? [] : [`nobody's: container ${container} ran on ${host}`];
    }
    const size = largest.get(fleet) ?? 0;
    const index = Number(instance.slice(fleet.length + 1));
    if (index < size) return [];
    return [`not ordered: ${nameOf(stretch)} ran on ${host}; ${fleet} had at most ${size}`];
  });
}

const nameOf = ({ instance, incarnation }: Seen): string => `${instance}.${incarnation}`;
