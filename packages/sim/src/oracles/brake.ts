import type { HostName, OrderedInstance, Report } from "@evm/fleet";
import { isGivenUp, isUp, keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/** Silence counts from half a lease on; so much more by another clock. */
const TOLERANCE_MS = 500;
/** What coordinators are told; one host is always let go. */
const MAX_LOST_SHARE = 0.3;

/**
 * While more hosts are silent at once than EVM believes to be lost, nothing that runs there is
 * started elsewhere, unless an operator confirmed the loss.
 *
 * @param leaseMs what coordinators grant
 * @param silentMs for how long the present leader had not heard of a host when it sent its last
 *   commit; undefined where nobody leads
 * @param reports what hosts told last: a confirmation holds until there is another report
 */
export function brake(
  leaseMs: number,
  silentMs: (host: HostName) => number | undefined,
  reports: () => ReadonlyMap<HostName, Report>,
): Oracle {
  /** What is in each host's orders. */
  const known = new Map<HostName, readonly OrderedInstance[]>();
  const silentFromMs = leaseMs / 2 + TOLERANCE_MS;

  const look = (truth: Truth): readonly string[] => {
    const begun = truth.changes.orders.flatMap(({ host, instances }) => {
      const before = known.get(host) ?? [];
      known.set(host, instances);
      const places = new Set(before.map((one) => placeOf(one, host)));
      return instances
        .map((one) => ({ host, one, place: placeOf(one, host), before }))
        .filter(({ one, place }) => one.desired === "run" && !places.has(place));
    });
    const fresh = new Set(begun.map(({ place }) => place));
    return begun.flatMap(({ host, one, place, before }) => {
      const { existing } = truth.places.get(one.name) ?? NOWHERE;
      const older = existing.filter((each) => each.one.incarnation < one.incarnation);
      const left = older.toSorted((a, b) => b.one.incarnation - a.one.incarnation)[0];
      if (left === undefined || left.host === host || !isUp(left.one)) return [];
      // It replaces, in its place, what was ordered there while fewer were silent.
      const isNewer = (it: OrderedInstance) => it.incarnation > left.one.incarnation;
      if (before.some((it) => it.name === one.name && isNewer(it))) return [];
      if (!isSilent(left.host) || isGivenUp(left.host, truth)) return [];
      const text = tooMany(left.host, truth, fresh);
      if (text === undefined || isConfirmed(left.host, truth)) return [];
      return [`${place} follows ${keyOf(left.one)} on ${left.host}, while ${text}`];
    });
  };

  const isSilent = (host: HostName): boolean => (silentMs(host) ?? 0) > silentFromMs;

  /** Only those count that were to run something before, and the one that is given up. */
  function tooMany(left: HostName, truth: Truth, fresh: ReadonlySet<string>): string | undefined {
    const isAtStake = (host: HostName): boolean =>
      host === left ||
      truth.control.orders
        .get(host)
        ?.value.instances.some((one) => one.desired === "run" && !fresh.has(placeOf(one, host))) ===
        true;
    const known = [...truth.hosts.keys()].filter(
      (host) => !isSilent(host) || (!isConfirmed(host, truth) && isAtStake(host)),
    );
    const silent = known.filter(isSilent);
    const most = Math.max(1, Math.floor(MAX_LOST_SHARE * known.length));
    if (silent.length <= most) return undefined;
    return `${silent.length} of ${known.length} hosts are silent`;
  }

  /** Or drained, so that its silence is no news. */
  function isConfirmed(host: HostName, { control }: Truth): boolean {
    const record = control.hosts.get(host)?.value;
    const confirmed = record?.confirmedLost;
    const isLost = confirmed !== undefined && confirmed === (reports().get(host)?.reportedAt ?? 0);
    return isLost || record?.admin === "draining";
  }

  return { invariant: "brake", look };
}

const placeOf = (one: OrderedInstance, host: HostName): string => `${keyOf(one)} on ${host}`;
