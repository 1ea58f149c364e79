/** Read, change, write: how the API alters what others may be altering too. */
import { RpcError } from "@evm/protocol";
import type { WriteOutcome } from "@evm/store";
import { describeMemory } from "../memory-watch.ts";
import type { ApiContext } from "./context.ts";

/** A busy fleet changes a few times a second; losing so often in a row is somebody's loop. */
const MAX_CONFLICTS = 8;

/** Before the attempt after a lost one, so that those who lose do not all come at once. */
const pauseMs = (conflicts: number): number => 2.5 * 2 ** conflicts;

type WriteContext = Pick<ApiContext, "store" | "clock"> & {
  readonly coordinator: Pick<ApiContext["coordinator"], "memory">;
};

export type CompareAndSet = {
  /** What is written, for the error: `fleet "web"`. */
  readonly what: string;
  /** Reads, and writes what follows from it; undefined where that is so already. */
  readonly write: () => Promise<WriteOutcome> | undefined;
  readonly signal: AbortSignal;
};

/**
 * Returns whether anything was written, once it can be read here. That nothing is to be written, or
 * nothing can be, is said only of a state that holds all that was acknowledged before (I6): by what
 * this coordinator remembers a later write of somebody else's would be taken for undone.
 */
export async function compareAndSet(
  { store, clock, coordinator }: WriteContext,
  { what, write, signal }: CompareAndSet,
): Promise<boolean> {
  assertRemembered(coordinator, what);
  let isCaughtUp = false;
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; ) {
    const outcome = await attempt(write, isCaughtUp);
    switch (outcome.kind) {
      case "written":
        await store.caughtUp(outcome.revision, signal);
        return true;
      case "nothing":
        if (isCaughtUp) return false;
        break;
      case "conflict":
        conflicts += 1;
        await clock.sleep(pauseMs(conflicts), signal);
    }
    await store.catchUp(signal);
    isCaughtUp = true;
  }
  throw new RpcError("aborted", `${what}: changed by others ${MAX_CONFLICTS} times in a row`);
}

/** A refusal counts only where it goes by the newest state. */
async function attempt(
  write: CompareAndSet["write"],
  isCaughtUp: boolean,
): Promise<WriteOutcome | { readonly kind: "nothing" }> {
  try {
    return (await write()) ?? { kind: "nothing" };
  } catch (error) {
    if (isCaughtUp || !(error instanceof RpcError)) throw error;
    return { kind: "nothing" };
  }
}

/**
 * What is written to a control state that is lost would be lost with it, acknowledged or not: first
 * it has to be rebuilt (I6).
 */
function assertRemembered({ memory }: WriteContext["coordinator"], what: string): void {
  if (memory.kind === "whole") return;
  throw new RpcError("failedPrecondition", `${what}: ${describeMemory(memory)}`);
}

/** The error where a client expected another revision than there is. */
export const outdated = (what: string, expected: bigint, found: number): RpcError =>
  new RpcError("aborted", `${what}: expected revision ${expected}, found ${found}; read it again`);
