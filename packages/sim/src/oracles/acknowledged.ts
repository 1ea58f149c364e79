import { isSame } from "@evm/fleet";
import type { ControlState, Versioned } from "@evm/store";
import type { Oracle } from "./truth.ts";

/** A write that a client was told is done. */
export type Acknowledged = {
  /** "fleet web" */
  readonly what: string;
  readonly value: unknown;
  readonly revision: number;
  readonly read: (control: ControlState) => Versioned<unknown> | undefined;
  /** Whether it may be gone by now, as a fleet that was asked to be deleted. */
  readonly mayBeGone: boolean;
};

/**
 * I6: what was acknowledged can be read, or something that was written over it.
 *
 * @param writes the newest of each key
 */
export const acknowledged = (writes: () => Iterable<Acknowledged>): Oracle => ({
  invariant: "I6",
  look: ({ control, changes }) =>
    changes.areRecords ? [...writes()].flatMap((write) => lost(write, control)) : [],
});

function lost(write: Acknowledged, control: ControlState): readonly string[] {
  const { what, revision } = write;
  const found = write.read(control);
  if (found === undefined) {
    return write.mayBeGone ? [] : [`${what} of revision ${revision} is gone`];
  }
  if (found.revision < revision) {
    return [`${what} is of revision ${found.revision}, acknowledged was ${revision}`];
  }
  if (found.revision > revision || isSame(found.value, write.value)) return [];
  return [`${what} of revision ${revision} is not what was acknowledged`];
}
