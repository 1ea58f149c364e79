import type { HostName, Report } from "@evm/fleet";
import { isUp, keyOf, NOWHERE, type Oracle, type Truth } from "./truth.ts";

/** Half a lease, from which on silence counts; a little more by another clock. */
const SILENT_MS = 3_500;
/** What coordinators are told; one host is always let go. */
const MAX_LOST_SHARE = 0.3;

/**
 * While more hosts are silent at once than EVM believes to be lost, nothing that runs there is
 * started elsewhere, unless an operator confirmed the loss.
 *
 * @param silentMs for how long the present leader had not heard of a host when it sent its last
 *   commit; undefined where nobody leads
 * @param reports what hosts told last: a confirmation holds until there is another report
 */
export function brake(
  silentMs: (host: HostName) => number | undefined,
  reports: () => ReadonlyMap<HostName, Report>,
): Oracle {
  const known = new Set<string>();

  const look = (truth: Truth): readonly string[] => {
    const found: string[] = [];
    for (const { host, instances } of truth.changes.orders) {
      for (const one of instances) {
        const key = `${keyOf(one)} on ${host}`;
        if (one.desired !== "run" || known.has(key)) continue;
        known.add(key);
        const { existing } = truth.places.get(one.name) ?? NOWHERE;
        const left = existing.find(
          (each) => each.host !== host && isUp(each.one) && each.one.incarnation < one.incarnation,
        );
        if (left === undefined || !isSilent(left.host)) continue;
        const text = tooMany(left.host, truth);
        if (text === undefined || isConfirmed(left.host, truth)) continue;
        found.push(`${key} follows ${keyOf(left.one)} on ${left.host}, while ${text}`);
      }
    }
    return found;
  };

  const isSilent = (host: HostName): boolean => (silentMs(host) ?? 0) > SILENT_MS;

  /** Only those count that are to run something, and the one that is given up. */
  function tooMany(left: HostName, truth: Truth): string | undefined {
    const isAtStake = (host: HostName): boolean =>
      host === left ||
      truth.control.orders.get(host)?.value.instances.some(({ desired }) => desired === "run") ===
        true;
    const known = [...truth.hosts.keys()].filter(
      (host) => !isConfirmed(host, truth) && (!isSilent(host) || isAtStake(host)),
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
