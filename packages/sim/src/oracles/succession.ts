import { type HostName, isSame, type Orders } from "@evm/fleet";
import { isEstranged, type Oracle, type Truth } from "./truth.ts";

/**
 * I5: epochs only grow; orders are written under the newest, with a generation that grows; and an
 * agent never goes back, not even over its own death. A restore writes what hosts go by, of
 * whatever epoch; where the control state was lost, what they never accepted is lost with it, and
 * epochs go on above those of all hosts that answered and of the export.
 */
export function succession(): Oracle {
  const written = new Map<HostName, Orders>();
  const accepted = new Map<HostName, Orders>();
  let newest = 0;
  const look = (truth: Truth): readonly string[] => {
    const { control, changes, hosts } = truth;
    const found: string[] = [];
    const { epoch: present } = control.epoch;
    const { restore } = changes;
    if (restore?.isOfLoss === true) {
      written.clear();
      for (const [host, { value }] of control.orders) written.set(host, value);
      const heard = [...hosts.values()].filter((host) => !isEstranged(host, truth));
      const epochs = heard.map(({ accepted: orders }) => orders?.epoch ?? 0);
      newest = Math.max(restore.kept?.epoch ?? 0, ...epochs) + 1;
    }
    if (present < newest) found.push(`the epoch is ${present}, and ${newest} was before`);
    newest = present;
    for (const orders of changes.orders) {
      const { host, epoch, generation } = orders;
      const before = written.get(host);
      if (before === orders) continue;
      written.set(host, orders);
      if (restore !== undefined) {
        const there = hosts.get(host)?.accepted;
        // Of generation 0 they are none: what the host goes by is not known.
        if (there !== undefined && generation > 0 && isBackwards(there, orders)) {
          found.push(`${host} goes by ${describe(there)}, restored is ${describe(orders)}`);
        }
        continue;
      }
      if (epoch !== present) {
        found.push(`orders of ${host} bear epoch ${epoch}, now is ${present}`);
      }
      if (before !== undefined && generation <= before.generation) {
        found.push(`orders of ${host} bear generation ${generation} after ${before.generation}`);
      }
    }
    for (const { name, accepted: now } of changes.hosts) {
      const before = accepted.get(name);
      if (now === undefined || now === before) continue;
      accepted.set(name, now);
      // Another machine of the name has accepted none before.
      if (before !== undefined && before.agent === now.agent && isBackwards(before, now)) {
        found.push(`${name} accepted ${describe(now)} after ${describe(before)}`);
      }
    }
    return found;
  };
  return { invariant: "I5", look };
}

function isBackwards(before: Orders, now: Orders): boolean {
  if (now.epoch < before.epoch || now.generation < before.generation) return true;
  return now.generation === before.generation && !isSame(now, before);
}

const describe = ({ epoch, generation }: Orders): string =>
  `generation ${generation} of epoch ${epoch}`;
