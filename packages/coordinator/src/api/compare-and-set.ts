/** Read, change, write: how the API alters what others may be altering too. */
import { RpcError } from "@evm/protocol";
import type { WriteOutcome } from "@evm/store";
import { describeMemory } from "../memory-watch.ts";
import type { ApiContext } from "./context.ts";

/** A busy fleet changes a few times a second; losing so often in a row is somebody's loop. */
const MAX_ATTEMPTS = 8;

/** Before an attempt after a lost one: time for the winner's write to come in here. */
const attemptGapMs = (attempt: number): number => 5 * 2 ** attempt;

export type CompareAndSet = {
  /** What is written, for the error: `fleet "web"`. */
  readonly what: string;
  /** Reads, and writes what follows from it; undefined where that is so already. */
  readonly write: () => Promise<WriteOutcome> | undefined;
  readonly signal: AbortSignal;
};

/** Returns whether anything was written, once it can be read here. */
export async function compareAndSet(
  context: ApiContext,
  { what, write, signal }: CompareAndSet,
): Promise<boolean> {
  const { store, clock } = context;
  assertRemembered(context, what);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const outcome = await write();
    if (outcome === undefined) return false;
    if (outcome.kind === "written") {
      await store.caughtUp(outcome.revision, signal);
      return true;
    }
    await clock.sleep(attemptGapMs(attempt), signal);
  }
  throw new RpcError("aborted", `${what}: changed by others ${MAX_ATTEMPTS} times in a row`);
}

/**
 * What is written to a control state that is lost would be lost with it, acknowledged or not: first
 * it has to be rebuilt (I6).
 */
function assertRemembered({ coordinator }: ApiContext, what: string): void {
  const { memory } = coordinator;
  if (memory.kind === "whole") return;
  throw new RpcError("failedPrecondition", `${what}: ${describeMemory(memory)}`);
}

/** The error where a client expected another revision than there is. */
export const outdated = (what: string, expected: bigint, found: number): RpcError =>
  new RpcError("aborted", `${what}: expected revision ${expected}, found ${found}; read it again`);
