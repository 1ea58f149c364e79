/** Mistakes that show where the control state is lost and restored. */
import type { Mutation } from "../mutation.ts";
import { replaced } from "./patches.ts";

export const CONTROL_LOSS_MUTATIONS: readonly Mutation[] = [
  {
    name: "nobody notices that the control state is lost (P6)",
    invariant: "recall",
    scenario: "loss",
    seed: 17,
    patches: [
      replaced(
        "fleet/src/recall.ts",
        "if (ahead.length === 0) return",
        "if (ahead.length >= 0) return",
      ),
    ],
  },
  {
    name: "a restore does not raise the base of epochs",
    invariant: "I5",
    scenario: "loss",
    seed: 3,
    patches: [
      replaced(
        "coordinator/src/restore.ts",
        "store.restore({ ...batch, epoch, base, by: id }",
        "store.restore({ ...batch, epoch, base: 0 * base, by: id }",
      ),
    ],
  },
  {
    name: "what is declared anew after a restore counts from one again",
    invariant: "I1",
    scenario: "loss",
    seed: 20457,
    patches: [
      replaced("fleet/src/life.ts", "1 + INCARNATIONS_PER_LIFE", "1 + 0 * INCARNATIONS_PER_LIFE"),
    ],
  },
  {
    name: "leases are promised while the control state is lost",
    invariant: "I2",
    scenario: "loss",
    seed: 42,
    patches: [
      replaced(
        "coordinator/src/coordinator.ts",
        "if (this.#isForgetful || isAhead(heartbeat, known)) return undefined;",
        "if (false && isAhead(heartbeat, known)) return undefined;",
      ),
    ],
  },
  {
    name: "a restore goes by what was kept where more is ordered",
    invariant: "recall",
    scenario: "loss",
    seed: 42,
    patches: [
      replaced(
        "fleet/src/rebuild/rebuild-fleet.ts",
        "needed = Math.max(needed, one.index + 1);",
        "needed = Math.max(needed, 0 * one.index);",
      ),
    ],
  },
  {
    name: "a restore does not hold the updates that it finds under way",
    invariant: "recall",
    scenario: "loss",
    seed: 10,
    patches: [
      replaced(
        "fleet/src/rebuild/rebuild-fleet.ts",
        'others.length === 0 ? { kind: "done" } :',
        'others.length >= 0 ? { kind: "done" } :',
      ),
    ],
  },
  {
    name: "a restore begins with nothing that was kept",
    invariant: "I6",
    scenario: "loss",
    seed: 1,
    patches: [
      replaced(
        "coordinator/src/restore.ts",
        "    kept,\n    stored: {",
        "    kept: NOTHING,\n    stored: {",
      ),
    ],
  },
  {
    name: "heartbeats are taken without their epoch",
    invariant: "I8",
    scenario: "loss",
    seed: 200,
    patches: [
      replaced(
        "coordinator/src/coordinator.ts",
        "set(host, applied);",
        "set(host, { ...applied, epoch: 0 });",
      ),
    ],
  },
  {
    name: "a lease is promised beside a successor that a restore found",
    invariant: "I2",
    scenario: "loss",
    seed: 2371,
    patches: [
      replaced(
        "coordinator/src/succeeded.ts",
        "if (own === undefined) return false;",
        "if (own === undefined || generation >= own.generation) return false;",
      ),
    ],
  },
  {
    name: "a successor is taken in beside what it succeeded",
    invariant: "I2",
    scenario: "loss",
    seed: 2908,
    patches: [
      replaced(
        "fleet/src/rebuild.ts",
        "isWhole ? withoutSeconds(document, stored.orders) : document",
        "document",
      ),
    ],
  },
];
