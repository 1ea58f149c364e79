/** Read, change, write: how the API alters one fleet's record. */
import { type FleetRecord, isFleetName } from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import type { Versioned } from "@evm/store";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";

/** A busy fleet changes a few times a second; losing so often in a row is somebody's loop. */
export const MAX_ATTEMPTS = 8;

/** Before an attempt after a lost one: time for the winner's write to come in here. */
export const attemptGapMs = (attempt: number): number => 5 * 2 ** attempt;

export type FleetChange = {
  readonly name: string;
  /** Undefined: whatever revision there is. */
  readonly expectedRevision: bigint | undefined;
  /** Must depend on nothing but the record: it may run again on a newer one. */
  readonly change: (record: FleetRecord) => FleetRecord;
  readonly signal: AbortSignal;
};

export function findFleet(context: ApiContext, name: string): Versioned<FleetRecord> {
  const found = isFleetName(name) ? context.store.control().fleets.get(name) : undefined;
  if (found === undefined) throw notFound("fleet", name);
  return found;
}

/** Writes the changed record, if it differs; returns whether, once it can be read here. */
export async function changeFleet(context: ApiContext, request: FleetChange): Promise<boolean> {
  const { name, expectedRevision, change, signal } = request;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { value, revision } = findFleet(context, name);
    if (expectedRevision !== undefined && BigInt(revision) !== expectedRevision) {
      throw outdated(name, expectedRevision, revision);
    }
    const changed = change(value);
    if (changed === value) return false;
    const write = { value: changed, expectedRevision: revision };
    const outcome = await context.store.putFleets([write], signal);
    if (outcome.kind === "written") {
      await context.store.caughtUp(outcome.revision, signal);
      return true;
    }
    await context.clock.sleep(attemptGapMs(attempt), signal);
  }
  throw new RpcError(
    "aborted",
    `fleet "${name}": changed by others ${MAX_ATTEMPTS} times in a row`,
  );
}

export const outdated = (name: string, expected: bigint, found: number): RpcError =>
  new RpcError(
    "aborted",
    `fleet "${name}": expected revision ${expected}, found ${found}; read it again`,
  );

/** Refuses what makes no sense for a fleet on its way out. */
export function assertActive(record: FleetRecord): void {
  if (record.state === "active") return;
  const { name } = record.spec;
  throw new RpcError(
    "failedPrecondition",
    `fleet "${name}": is being deleted; wait until it is gone`,
  );
}
