/** A fleet as clients see it: its record with what has become of it. */

import { create } from "@bufbuild/protobuf";
import { fleetSpecCodec, phaseEnum } from "@evm/codec";
import type { FleetRecord, Phase } from "@evm/fleet";
import { PHASES } from "@evm/fleet";
import { type Fleet, FleetSchema, FleetState } from "@evm/protocol";
import type { Versioned } from "@evm/store";
import { type InstanceView, instanceViews } from "../instances.ts";
import type { ApiContext } from "./context.ts";

/** Every fleet by name, in the order of names. */
export function fleetViews(context: ApiContext): ReadonlyMap<string, Fleet> {
  const instances = Map.groupBy(instanceViews(context.coordinator.snapshot()), (i) => i.fleet);
  const { fleets } = context.store.control();
  const views = new Map<string, Fleet>();
  for (const name of [...fleets.keys()].sort()) {
    const fleet = fleets.get(name);
    if (fleet !== undefined) views.set(name, fleetView(fleet, instances.get(name) ?? []));
  }
  return views;
}

/** @param instances those of this fleet, of each name the newest incarnation first */
export function fleetView(
  { value, revision }: Versioned<FleetRecord>,
  instances: readonly InstanceView[],
): Fleet {
  const current = instances.filter((instance) => isCurrent(instance, value));
  const outdated = instances.filter((instance) => instance.template !== value.template);
  return create(FleetSchema, {
    spec: fleetSpecCodec.toWire(value.spec),
    state: value.state === "active" ? FleetState.ACTIVE : FleetState.DELETING,
    revision: BigInt(revision),
    templateDigest: value.template,
    phases: countPhases(current),
    ready: current.filter((instance) => instance.phase === "ready").length,
    outdated: outdated.filter((instance) => instance.desired === "run").length,
    stoppedByWish: value.wishes.filter((wish) => wish.isStopped).length,
  });
}

/** Of the current template, and not on its way out. */
const isCurrent = (instance: InstanceView, fleet: FleetRecord): boolean =>
  instance.template === fleet.template &&
  instance.index < fleet.spec.replicas &&
  (instance.desired === "run" || instance.incarnation === 0);

/** Phases with none are left out; the order is that of a life. */
export function countPhases(instances: readonly { readonly phase: Phase }[]) {
  return PHASES.map((phase) => ({
    phase: phaseEnum.toWire(phase),
    count: instances.filter((instance) => instance.phase === phase).length,
  })).filter(({ count }) => count > 0);
}
