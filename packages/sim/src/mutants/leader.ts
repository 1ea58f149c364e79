/** Mistakes of leaders: whom they hear, what they promise, when they may plan. */
import type { Mutation } from "../mutation.ts";
import { replaced } from "./patches.ts";

const withoutPauses = replaced(
  "coordinator/src/liveness.ts",
  "const silentMs = nowMs - Math.max(heardAtMs, listeningSinceMs);",
  "const silentMs = nowMs - Math.min(heardAtMs, listeningSinceMs);",
);

const withoutBrake = replaced(
  "fleet/src/brake.ts",
  "if (silent <= most || held.length === 0) return undefined;",
  "if (silent <= most || held.length >= 0) return undefined;",
);

export const LEADER_MUTATIONS: readonly Mutation[] = [
  {
    name: "hosts are given up before their lease has ended (V1)",
    invariant: "I2",
    seed: 1,
    patches: [
      replaced(
        "coordinator/src/liveness.ts",
        "const limitMs = leaseMs + marginMs;",
        "const limitMs = leaseMs - 3_500 + 0 * marginMs;",
      ),
    ],
  },
  {
    name: "a new leader does not wait for the promises of the one before (V2)",
    invariant: "I2",
    seed: 17,
    patches: [
      replaced(
        "coordinator/src/liveness.ts",
        "nowMs - leadingSinceMs > limitMs + FOOTING_MS",
        "nowMs - leadingSinceMs > 0 * FOOTING_MS",
      ),
      withoutPauses,
      withoutBrake,
    ],
  },
  {
    name: "silence counts while nobody listened (V3)",
    invariant: "calm",
    seed: 10,
    patches: [withoutPauses, withoutBrake],
  },
  {
    name: "hosts are called lost however many vanish at once",
    invariant: "brake",
    scenario: "row",
    seed: 6,
    patches: [withoutBrake],
  },
  {
    name: "a leader promises leases without footing (L3)",
    invariant: "I2",
    seed: 51,
    patches: [
      replaced(
        "coordinator/src/leadership.ts",
        "return this.#confirmationAgeMs() < FOOTING_MS;",
        "return this.#confirmationAgeMs() < 1e9;",
      ),
    ],
  },
  {
    name: "a leader promises leases before it sees its own claim",
    invariant: "I2",
    scenario: "surge",
    seed: 10417,
    patches: [
      replaced(
        "coordinator/src/coordinator.ts",
        "if (control.epoch.epoch !== state.epoch) return undefined;",
        "",
      ),
    ],
  },
  {
    name: "a host is promised a lease by orders that were succeeded",
    invariant: "I2",
    seed: 42,
    patches: [
      replaced(
        "coordinator/src/succeeded.ts",
        "if (own === undefined) return false;",
        "if (own === undefined || generation >= 0) return false;",
      ),
    ],
  },
  {
    name: "a leader plans on a view from before its own commit (P4)",
    invariant: "I1",
    seed: 284,
    patches: [
      replaced(
        "coordinator/src/planner.ts",
        "if (control.epoch.epoch < epoch || control.revision < this.#committedRevision)",
        "if (control.revision < 0)",
      ),
      replaced("coordinator/src/planner.ts", "await store.caughtUp(outcome.revision, signal);", ""),
    ],
  },
  {
    name: "a host that is written off is promised a lease",
    invariant: "I2",
    seed: 12,
    patches: [replaced("coordinator/src/coordinator.ts", "this.#writtenOff.has(host) || ", "")],
  },
  {
    name: "a machine that bears a host's name is heard as the host",
    invariant: "I7",
    scenario: "replaced",
    seed: 2,
    patches: [
      replaced(
        "coordinator/src/coordinator.ts",
        "if (!this.#namesakes.isHost(heartbeat, known, nowMs)) return undefined;",
        "this.#namesakes.isHost(heartbeat, known, nowMs);",
      ),
    ],
  },
  {
    name: "a plan is kept although a host reports otherwise",
    invariant: "I7",
    seed: 10,
    patches: [
      replaced(
        "coordinator/src/situation.ts",
        "if (differing.length === 0) return true;",
        "if (differing.length >= 0) return true;",
      ),
    ],
  },
  {
    name: "a plan does not watch what it waits for",
    invariant: "I7",
    seed: 32,
    patches: [
      replaced(
        "fleet/src/reconcile/settle-fleet.ts",
        "if (isUpdating || candidates.length > 0) work",
        "if (isUpdating && candidates.length > 0 && false) work",
      ),
    ],
  },
];
