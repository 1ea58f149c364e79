import { type HostName, isSame, type Orders } from "@evm/fleet";
import type { Oracle, Truth } from "./truth.ts";

/**
 * I5: orders are written under the newest epoch, with a generation that grows; and an agent never
 * goes back, not even over its own death.
 */
export function succession(): Oracle {
  const written = new Map<HostName, Orders>();
  const accepted = new Map<HostName, Orders>();
  const look = ({ control, changes }: Truth): readonly string[] => {
    const found: string[] = [];
    for (const orders of changes.orders) {
      const { host, epoch, generation } = orders;
      const before = written.get(host);
      if (before === orders) continue;
      written.set(host, orders);
      if (epoch !== control.epoch.epoch) {
        found.push(`orders of ${host} bear epoch ${epoch}, now is ${control.epoch.epoch}`);
      }
      if (before !== undefined && generation <= before.generation) {
        found.push(`orders of ${host} bear generation ${generation} after ${before.generation}`);
      }
    }
    for (const { name, accepted: now } of changes.hosts) {
      const before = accepted.get(name);
      if (now === undefined || now === before) continue;
      accepted.set(name, now);
      if (before !== undefined && isBackwards(before, now)) {
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
