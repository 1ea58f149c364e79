/** How the API alters one fleet's record. */
import { type FleetRecord, isFleetName } from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import type { Versioned } from "@evm/store";
import { assertConfirmed } from "./blast-radius.ts";
import { compareAndSet, outdated } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";

export type FleetChange = {
  readonly name: string;
  /** Undefined: whatever revision there is. */
  readonly expectedRevision: bigint | undefined;
  /** Must depend on nothing but the record: it may run again on a newer one. */
  readonly change: (record: FleetRecord) => FleetRecord;
  /** How many instances it may disturb, by whoever asks for it. */
  readonly confirmed?: number | undefined;
  readonly signal: AbortSignal;
};

export function findFleet(context: ApiContext, name: string): Versioned<FleetRecord> {
  const found = isFleetName(name) ? context.store.control().fleets.get(name) : undefined;
  if (found === undefined) throw notFound("fleet", name);
  return found;
}

/** Writes the changed record, if it differs; returns whether, once it can be read here. */
export function changeFleet(context: ApiContext, request: FleetChange): Promise<boolean> {
  const { name, expectedRevision, change, confirmed, signal } = request;
  const what = `fleet "${name}"`;
  const write = () => {
    const { value, revision } = findFleet(context, name);
    const changed = change(value);
    if (changed === value) return undefined;
    if (expectedRevision !== undefined && BigInt(revision) !== expectedRevision) {
      throw outdated(what, expectedRevision, revision);
    }
    assertConfirmed(context, { fleets: [changed] }, confirmed);
    return context.store.putFleets([{ value: changed, expectedRevision: revision }], signal);
  };
  return compareAndSet(context, { what, write, signal });
}

/** Refuses what makes no sense for a fleet on its way out. */
export function assertActive(record: FleetRecord): void {
  if (record.state === "active") return;
  const { name } = record.spec;
  throw new RpcError(
    "failedPrecondition",
    `fleet "${name}": is being deleted; wait until it is gone, or call that off with ` +
      `\`evm delete --undo ${name}\``,
  );
}
