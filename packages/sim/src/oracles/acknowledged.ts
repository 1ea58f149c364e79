import { type ClusterExport, isSame } from "@evm/fleet";
import type { ControlState, Versioned } from "@evm/store";
import type { Oracle, Truth } from "./truth.ts";

/** A write that a client was told is done. */
export type Acknowledged = {
  /** "fleet web" */
  readonly what: string;
  readonly value: unknown;
  readonly revision: number;
  readonly read: (control: ControlState) => Versioned<unknown> | undefined;
  /** Whether it may be gone by now, as a fleet that was asked to be deleted. */
  readonly mayBeGone: boolean;
  /** Whether it is in an export and there after a restore, but for what orders say otherwise. */
  readonly isRestored: (control: ControlState, kept: ClusterExport) => boolean;
};

/** The newest write of each key that was acknowledged. */
export class Acknowledgements {
  readonly #newest = new Map<string, Acknowledged>();
  readonly #yielded = new Map<string, number>();

  all(): readonly Acknowledged[] {
    return [...this.#newest.values()];
  }

  add(write: Acknowledged): void {
    const newest = this.#newest.get(write.what)?.revision ?? 0;
    if (write.revision > newest) this.#newest.set(write.what, write);
  }

  /** From now on it may be gone. */
  yield(what: string): void {
    this.#yielded.set(what, this.yielded(what) + 1);
    const known = this.#newest.get(what);
    if (known !== undefined) this.#newest.set(what, { ...known, mayBeGone: true });
  }

  /** How often it was asked to go: a write that was under way then may be gone, too. */
  yielded(what: string): number {
    return this.#yielded.get(what) ?? 0;
  }

  /** Goes on from what was restored: revisions begin anew. */
  rebase(control: ControlState): void {
    const fleets = [...control.fleets.values()].map(({ value }) => value);
    const deleting = new Set<unknown>(fleets.filter(({ state }) => state === "deleting"));
    for (const [what, write] of [...this.#newest]) {
      const found = write.read(control);
      if (found === undefined) this.#newest.delete(what);
      else {
        const mayBeGone = write.mayBeGone || deleting.has(found.value);
        this.#newest.set(what, { ...write, ...found, mayBeGone });
      }
    }
  }
}

/**
 * I6: what was acknowledged can be read, or something that was written over it. Where the control
 * state was lost, what was acknowledged since the export that it was restored from is lost with it;
 * the rest is as it was exported, or as it is ordered.
 */
export function acknowledged(writes: Acknowledgements): Oracle {
  /** Of the present control state: it began with the last loss. */
  let sinceEpoch = 0;

  const look = ({ control, left, changes }: Truth): readonly string[] => {
    if (left !== undefined || !changes.areRecords) return [];
    const { restore } = changes;
    if (restore?.isOfLoss !== true) return writes.all().flatMap((write) => lost(write, control));
    const { kept } = restore;
    const isOfThis = kept !== undefined && kept.epoch >= sinceEpoch;
    sinceEpoch = control.epoch.epoch;
    const found = isOfThis ? writes.all().flatMap((one) => lostByRestore(one, control, kept)) : [];
    writes.rebase(control);
    return found;
  };
  return { invariant: "I6", look };
}

function lostByRestore(
  write: Acknowledged,
  control: ControlState,
  kept: ClusterExport,
): readonly string[] {
  const { what, revision, mayBeGone } = write;
  if (revision > kept.revision || mayBeGone || write.isRestored(control, kept)) return [];
  return [`${what} of revision ${revision} is not restored as of revision ${kept.revision}`];
}

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
