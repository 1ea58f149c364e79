/** What exists, as whole states: the first once all is known, then one for every change. */
import { type Fleet, FleetService, type Instance, InstanceService } from "@evm/protocol";
import type { Context } from "../context.ts";

/** @param name of the only fleet to watch; empty: all */
export async function* fleetStates(
  { client }: Context,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<ReadonlyMap<string, Fleet>> {
  const fleets = new Map<string, Fleet>();
  let isSynced = false;
  const watch = client.serverStream(FleetService.method.watchFleets, { name }, { signal });
  for await (const { fleet, deletedName, isSynced: isEnd } of watch) {
    if (fleet?.spec !== undefined) fleets.set(fleet.spec.name, fleet);
    fleets.delete(deletedName);
    isSynced ||= isEnd;
    if (isSynced) yield fleets;
  }
}

/** @param fleet whose instances to watch; empty: those of all */
export async function* instanceStates(
  { client }: Context,
  fleet: string,
  signal: AbortSignal,
): AsyncGenerator<readonly Instance[]> {
  const instances = new Map<string, Instance>();
  let isSynced = false;
  const watch = client.serverStream(InstanceService.method.watchInstances, { fleet }, { signal });
  for await (const { instance, isGone, isSynced: isEnd } of watch) {
    if (instance !== undefined) {
      const key = `${instance.name} ${instance.incarnation}`;
      if (isGone) instances.delete(key);
      else instances.set(key, instance);
    }
    isSynced ||= isEnd;
    if (isSynced) yield [...instances.values()];
  }
}

/** The newest incarnation of each instance. */
export function newestByName(instances: readonly Instance[]): ReadonlyMap<string, Instance> {
  const newest = new Map<string, Instance>();
  for (const instance of instances) {
    const known = newest.get(instance.name);
    if (known === undefined || known.incarnation < instance.incarnation) {
      newest.set(instance.name, instance);
    }
  }
  return newest;
}
