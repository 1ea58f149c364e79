/** A fleet as clients see it: its record with what has become of it. */

import { create } from "@bufbuild/protobuf";
import { fleetSpecCodec, phaseEnum, rolloutCodec } from "@evm/codec";
import type { FleetRecord, Phase } from "@evm/fleet";
import { hasFailed, isFleetName, PHASES, SURGE_INDEX } from "@evm/fleet";
import { type Fleet, FleetSchema, FleetState } from "@evm/protocol";
import type { Versioned } from "@evm/store";
import type { InstanceView } from "../instances.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";

/** Every fleet by name, in the order of names. */
export function fleetViews(context: ApiContext): ReadonlyMap<string, Fleet> {
  const { fleets } = context.coordinator.picture().control;
  return new Map(
    [...fleets.keys()].sort().flatMap((name) => {
      const fleet = fleetViewOf(context, name);
      return fleet === undefined ? [] : [[name, fleet]];
    }),
  );
}

/** One fleet; undefined where there is none of this name. */
export function fleetViewOf({ coordinator }: ApiContext, name: string): Fleet | undefined {
  const picture = coordinator.picture();
  const fleet = isFleetName(name) ? picture.control.fleets.get(name) : undefined;
  return fleet && fleetView(fleet, picture.instancesOf(fleet.value.spec.name));
}

/** The same; fails where there is none. */
export function shownFleet(context: ApiContext, name: string): Fleet {
  const fleet = fleetViewOf(context, name);
  if (fleet === undefined) throw notFound("fleet", name);
  return fleet;
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
    updated: current.filter((instance) => instance.desired === "run").length,
    failed: instances.filter((instance) => isCounted(instance, value)).length,
    extra: instances.filter(isExtra).length,
    rollout: rolloutCodec.toWire(value.rollout),
  });
}

/** Of the current template, and not on its way out. */
const isCurrent = (instance: InstanceView, fleet: FleetRecord): boolean =>
  instance.template === fleet.template &&
  instance.index < fleet.spec.replicas &&
  (instance.desired === "run" || instance.incarnation === 0);

/** It counts against the template. */
const isCounted = (instance: InstanceView, { template, rollout }: FleetRecord): boolean =>
  instance.template === template &&
  instance.desired === "run" &&
  hasFailed(instance) &&
  !rollout.knownFailures.includes(instance.index);

const isExtra = ({ index, desired }: InstanceView): boolean =>
  index >= SURGE_INDEX && desired === "run";

/** Phases with none are left out; the order is that of a life. */
export function countPhases(instances: readonly { readonly phase: Phase }[]) {
  const counts = new Map<Phase, number>();
  for (const { phase } of instances) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return PHASES.flatMap((phase) => {
    const count = counts.get(phase);
    return count === undefined ? [] : [{ phase: phaseEnum.toWire(phase), count }];
  });
}
