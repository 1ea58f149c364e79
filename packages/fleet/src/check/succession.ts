import type { HostName } from "../ids.ts";
import type { Plan, Violation } from "../plan.ts";
import type { Snapshot } from "../snapshot.ts";

/**
 * I5: every rewritten document bears this epoch, which no document is ahead of, and a generation
 * above all that its host may have accepted; there is one for a host, and only for known hosts.
 */
export function checkSuccession(snapshot: Snapshot, plan: Plan): readonly Violation[] {
  const hosts = new Map(snapshot.hosts.map((host) => [host.name, host]));
  const seen = new Set<HostName>();
  const violations: Violation[] = [];
  const add = (text: string): void => {
    violations.push({ invariant: "I5", text });
  };
  for (const { host, epoch, generation } of plan.orders) {
    const view = hosts.get(host);
    if (view === undefined) add(`orders for ${host}, which is not known`);
    if (seen.has(host)) add(`orders for ${host} twice`);
    seen.add(host);
    const heard = [view?.orders, view?.report, view?.heartbeat];
    const known = Math.max(epoch, ...heard.map((one) => one?.epoch ?? 0));
    if (epoch !== snapshot.epoch || known > epoch) {
      add(`orders for ${host} bear epoch ${epoch}; held is ${snapshot.epoch}, known ${known}`);
    }
    const last = Math.max(...heard.map((one) => one?.generation ?? 0));
    if (generation <= last) add(`orders for ${host} bear generation ${generation} after ${last}`);
  }
  return violations;
}
