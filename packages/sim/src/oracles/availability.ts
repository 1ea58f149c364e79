import {
  type FleetName,
  type HostName,
  type InstanceName,
  instanceName,
  type OrderedInstance,
  type Report,
  SURGE_INDEX,
} from "@evm/fleet";
import { keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/** So long after its host told the store of it, whoever decides must know that it is ready. */
const KNOWN_AFTER_MS = 20_000;

/**
 * An update or a drain never ends more of what is ready than the fleet bears: what was ended, and
 * is not ready again, is at most `maxUnavailable`. What faults, operators and deletions take is
 * counted for nothing here.
 *
 * @param reports what hosts told last; the same map until that changes
 */
export function availability(reports: () => ReadonlyMap<HostName, Report>): Oracle {
  const readiness = new Readiness();
  const desired = new Map<string, OrderedInstance["desired"]>();
  const ended = new Map<FleetName, Set<InstanceName>>();

  const look = (truth: Truth): readonly string[] => {
    readiness.hear(reports(), truth.nowMs);
    const touched = new Set<FleetName>();
    for (const { host, instances } of truth.changes.orders) {
      for (const one of instances) {
        const place = `${keyOf(one)} on ${host}`;
        const was = desired.get(place);
        desired.set(place, one.desired);
        if (was !== "run" || one.desired === "run") continue;
        if (!isPlannedEnd(one, host, truth) || !wasKnownReady(one, host, truth)) continue;
        touched.add(one.fleet);
        const names = ended.get(one.fleet) ?? new Set();
        ended.set(one.fleet, names.add(one.name));
      }
    }
    for (const names of ended.values()) {
      for (const name of names) if (isOver(name, truth)) names.delete(name);
    }
    return [...touched].flatMap((fleet) => excess(fleet, truth));
  };

  function wasKnownReady(one: OrderedInstance, host: HostName, truth: Truth): boolean {
    const { existing } = truth.places.get(one.name) ?? NOWHERE;
    const there = existing.find((each) => each.host === host && keyOf(each.one) === keyOf(one));
    if (there?.one.state !== "ready") return false;
    if (truth.hosts.get(host)?.excuses(there.one, truth.nowMs).includes("driver lied"))
      return false;
    return readiness.sinceMs(one, host) <= truth.nowMs - KNOWN_AFTER_MS;
  }

  function excess(fleet: FleetName, { control, places }: Truth): readonly string[] {
    const spec = control.fleets.get(fleet)?.value.spec;
    if (spec === undefined) return [];
    const extras = Array.from({ length: spec.update.maxSurge }, (_, at) =>
      places.get(instanceName(fleet, SURGE_INDEX + at)),
    ).filter((extra) => extra?.ordered.some(({ one }) => one.desired === "run") === true);
    const names = [...(ended.get(fleet) ?? [])];
    const most = spec.update.maxUnavailable + extras.length;
    if (names.length <= most) return [];
    const text = `are being replaced or moved; at most ${most} may be`;
    return [`${names.join(", ")} were ready and ${text}`];
  }

  return { invariant: "availability", look };
}

/** Since when hosts tell, without a break, that an incarnation is ready there. */
class Readiness {
  #told: ReadonlyMap<HostName, Report> = new Map();
  readonly #sinceMs = new Map<HostName, ReadonlyMap<string, number>>();

  /** Infinite where it is not. */
  sinceMs(one: OrderedInstance, host: HostName): number {
    return this.#sinceMs.get(host)?.get(keyOf(one)) ?? Number.POSITIVE_INFINITY;
  }

  hear(reports: ReadonlyMap<HostName, Report>, nowMs: number): void {
    const before = this.#told;
    this.#told = reports;
    if (reports === before) return;
    for (const [host, { instances }] of reports) {
      // Where nothing is new a host repeats what it told.
      if (before.get(host)?.instances === instances) continue;
      const known = this.#sinceMs.get(host);
      const ready = instances.filter(({ phase }) => phase === "ready").map(keyOf);
      this.#sinceMs.set(host, new Map(ready.map((key) => [key, known?.get(key) ?? nowMs])));
    }
  }
}

/** True of one that is wanted, was not asked to stop or restart, and is not ordered elsewhere. */
function isPlannedEnd(one: OrderedInstance, host: HostName, { control, places }: Truth): boolean {
  const record = control.fleets.get(one.fleet)?.value;
  if (record?.state !== "active" || one.index >= record.spec.replicas) return false;
  const wish = record.wishes.find(({ index }) => index === one.index);
  if (wish?.isStopped === true || one.incarnation < (wish?.minIncarnation ?? 0)) return false;
  const { ordered } = places.get(one.name) ?? NOWHERE;
  const isElsewhere = ordered.some(
    (other) => other.host !== host && other.one.incarnation > one.incarnation,
  );
  return !isElsewhere;
}

/** Ready again, or nothing that anybody waits for. */
function isOver(name: InstanceName, { control, places }: Truth): boolean {
  const { ordered, existing } = places.get(name) ?? NOWHERE;
  const newest = ordered.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
  if (newest === undefined) return true;
  const { one, host } = newest;
  const record = control.fleets.get(one.fleet)?.value;
  const isWanted = record?.state === "active" && one.index < record.spec.replicas;
  const wish = record?.wishes.find(({ index }) => index === one.index);
  if (!isWanted || wish?.isStopped === true) return true;
  if (one.desired !== "run") return false;
  return existing.some(
    (each) => each.host === host && each.one.state === "ready" && keyOf(each.one) === keyOf(one),
  );
}
