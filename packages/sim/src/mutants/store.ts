/** Mistakes of the store. */
import type { Mutation } from "../mutation.ts";
import { replaced } from "./patches.ts";

export const STORE_MUTATIONS: readonly Mutation[] = [
  {
    name: "the store does not look at the epoch of a commit",
    invariant: "I5",
    seed: 97,
    patches: [
      replaced(
        "store/src/memory/world.ts",
        "commit(request: CommitRequest): CommitOutcome {\n" +
          "    const { epoch } = this.control.epoch;",
        "commit(request: CommitRequest): CommitOutcome {\n    const { epoch } = request;",
      ),
    ],
  },
  {
    name: "the store acknowledges a write and does not do it",
    invariant: "I6",
    seed: 1,
    patches: [
      replaced(
        "store/src/memory/world.ts",
        "for (const { value } of writes) table.put(keyOf(value), value, nextRevision());",
        "for (const { value } of writes) " +
          "if (nextRevision() % 5) table.put(keyOf(value), value, nextRevision());",
      ),
    ],
  },
];
