/** Deleting fleets, all of a request or none, and calling that off. */
import type { FleetRecord } from "@evm/fleet";
import type { DeleteFleetRequest } from "@evm/protocol";
import { assertConfirmed } from "./blast-radius.ts";
import { findFleet } from "./change-fleet.ts";
import { compareAndSet, outdated } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";

/** Marks the fleets as deleting; what is so already stays as it is. */
export async function deleteFleets(
  context: ApiContext,
  { name, others, expectedRevision, confirmed }: DeleteFleetRequest,
  signal: AbortSignal,
): Promise<void> {
  const { store, coordinator } = context;
  const names = [...new Set([name, ...others])];
  let written: readonly FleetRecord[] = [];
  const write = () => {
    const active = names
      .map((one) => findFleet(context, one))
      .filter(({ value }) => value.state === "active");
    const first = active.find(({ value }) => value.spec.name === name);
    if (expectedRevision !== undefined && first && BigInt(first.revision) !== expectedRevision) {
      throw outdated(`fleet "${name}"`, expectedRevision, first.revision);
    }
    if (active.length === 0) return undefined;
    written = active.map(({ value }) => deleting(value));
    assertConfirmed(context, { fleets: written }, confirmed);
    const writes = active.map(({ value, revision }) => ({
      value: deleting(value),
      expectedRevision: revision,
    }));
    return store.putFleets(writes, signal);
  };
  if (!(await compareAndSet(context, { what: "delete", write, signal }))) return;
  for (const { spec } of written) {
    const text = `${spec.name} is to be stopped and discarded`;
    coordinator.announcer.say("info", "FleetDeleted", text, { fleet: spec.name });
  }
}

export const deleting = (record: FleetRecord): FleetRecord =>
  record.state === "deleting" ? record : { ...record, state: "deleting" };

/** What has not been ended yet stays; the rest is made anew. */
export const kept = (record: FleetRecord): FleetRecord =>
  record.state === "active" ? record : { ...record, state: "active" };
