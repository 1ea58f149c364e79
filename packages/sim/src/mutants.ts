/**
 * Mistakes in the programs that the oracles must notice. The second opinion is silenced where it
 * would object first.
 */
import type { Mutation, Patch } from "./mutation.ts";

/** Takes one check out of the second opinion. */
const without = (check: string): Patch => ({
  file: "fleet/src/check.ts",
  find: `    ...${check},\n`,
  replace: "",
});

const replaced = (file: string, find: string, replace: string): Patch => ({ file, find, replace });

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

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "the store does not look at the epoch of a commit",
    invariant: "I5",
    seed: 10,
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
    seed: 2,
    patches: [
      replaced(
        "store/src/memory/world.ts",
        "for (const { value } of writes) table.put(keyOf(value), value, nextRevision());",
        "for (const { value } of writes) " +
          "if (nextRevision() % 5) table.put(keyOf(value), value, nextRevision());",
      ),
    ],
  },
  {
    name: "older incarnations are not superseded",
    invariant: "I1",
    seed: 17,
    patches: [
      without("checkSingleRun(changes)"),
      replaced(
        "fleet/src/reconcile/supersede.ts",
        'entry === latest || entry.desired !== "run"',
        'entry === latest || entry.desired === "run"',
      ),
      replaced(
        "fleet/src/reconcile/assign.ts",
        'if (prior?.desired === "run") order(',
        'if (prior?.desired === "stop") order(',
      ),
    ],
  },
  {
    name: "what is superseded is discarded",
    invariant: "I4",
    seed: 17,
    patches: [
      without("checkDiscards(snapshot, changes)"),
      replaced(
        "fleet/src/reconcile/assign.ts",
        'order(work, prior, "stop"',
        'order(work, prior, "discard"',
      ),
    ],
  },
  {
    name: "a new incarnation does not wait for the older one to end",
    invariant: "I2",
    seed: 74,
    patches: [
      replaced(
        "fleet/src/reconcile/decide.ts",
        "if (blocking !== undefined) return",
        "if (blocking !== undefined && blocking.host === except?.host) return",
      ),
      replaced(
        "fleet/src/reconcile/decide.ts",
        "  if (isSettled(entry)) return place(",
        '  if (entry.desired !== "run") return place(',
      ),
      without("checkDiscards(snapshot, changes)"),
      without("checkCapacity(changes, snapshot.overcommit)"),
    ],
  },
  {
    name: "an end counts as reported by a report from before it was ordered",
    invariant: "I2",
    seed: 190,
    patches: [
      replaced(
        "fleet/src/reconcile/work.ts",
        '  entry.was !== "run" &&\n  entry.host.isCurrent &&\n',
        '  entry.was !== "run" &&\n',
      ),
      without("checkDiscards(snapshot, changes)"),
      without("checkCapacity(changes, snapshot.overcommit)"),
    ],
  },
  {
    name: "room counts as free as soon as a stop is ordered",
    invariant: "I3",
    seed: 87,
    patches: [
      without("checkCapacity(changes, snapshot.overcommit)"),
      replaced(
        "fleet/src/reconcile/count-promises.ts",
        "if (!isSettled(entry))",
        'if (entry.desired === "run")',
      ),
    ],
  },
  {
    name: "placement does not look at CPUs",
    invariant: "I3",
    seed: 7,
    patches: [
      without("checkCapacity(changes, snapshot.overcommit)"),
      replaced(
        "fleet/src/rules/vcpu-fits.ts",
        "vcpuMillis <= free(host)",
        "vcpuMillis <= free(host) + 1e9",
      ),
    ],
  },
  {
    name: "what waits does not say why",
    invariant: "I8",
    seed: 3,
    patches: [
      replaced(
        "fleet/src/check.ts",
        "? [] : checkReasons(snapshot, plan, changes)",
        "? checkReasons(snapshot, plan, changes) : []",
      ),
      replaced(
        "fleet/src/reconcile/work.ts",
        "fleet: member.fleet.name, reason, refusals }",
        'fleet: member.fleet.name, reason: "", refusals }',
      ),
    ],
  },
  {
    name: "draining moves nothing",
    invariant: "I7",
    seed: 18,
    patches: [
      replaced(
        "fleet/src/reconcile/decide.ts",
        'return liveness === "lost" || admin === "draining" ? "move"',
        'return liveness === "lost" ? "move"',
      ),
    ],
  },
  {
    name: "hosts are given up before their lease has ended (V1)",
    invariant: "I2",
    seed: 6,
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
    seed: 42,
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
    seed: 98,
    patches: [withoutPauses, withoutBrake],
  },
  {
    name: "hosts are called lost however many vanish at once",
    invariant: "brake",
    scenario: "row",
    seed: 4,
    patches: [withoutBrake],
  },
  {
    name: "an update ends as many at once as it likes",
    invariant: "availability",
    seed: 5,
    patches: [
      replaced(
        "fleet/src/reconcile/end-in-turn.ts",
        "unavailable >= maxUnavailable",
        "unavailable > 1e9",
      ),
    ],
  },
  {
    name: "an agent does not notice that its driver lists otherwise",
    invariant: "I7",
    seed: 7,
    patches: [
      replaced(
        "agent/src/worker.ts",
        "return before?.instances === latest.instances && before.problem === latest.problem;",
        "return before?.problem === latest.problem;",
      ),
    ],
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
    name: "a host is promised a lease by orders that were succeeded",
    invariant: "I2",
    seed: 27,
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
    seed: 2,
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
    name: "an agent accepts older orders",
    invariant: "I5",
    seed: 11,
    patches: [
      replaced(
        "fleet/src/accept-orders.ts",
        "if (incoming.generation < current.generation)",
        "if (incoming.generation < 0)",
      ),
      replaced(
        "fleet/src/accept-orders.ts",
        "if (incoming.generation > current.generation)",
        "if (incoming.generation !== current.generation)",
      ),
    ],
  },
  {
    name: "an agent discards what it is to stop",
    invariant: "I4",
    seed: 3,
    patches: [
      replaced(
        "fleet/src/converge.ts",
        'orderOf.get(one.incarnation)?.desired === "discard"',
        'orderOf.get(one.incarnation)?.desired !== "run"',
      ),
    ],
  },
  {
    name: "an agent stops after its lease has ended, not before",
    invariant: "I2",
    seed: 17,
    patches: [
      replaced(
        "agent/src/lease.ts",
        "const STOP_MARGIN_MS = 2_500;",
        "const STOP_MARGIN_MS = -20_000;",
      ),
    ],
  },
  {
    name: "an agent does not stop what is not to run in isolation",
    invariant: "I2",
    seed: 17,
    patches: [replaced("agent/src/worker.ts", "return isolated(orders);", "return orders;")],
  },
  {
    name: "what crashes is never restarted",
    invariant: "I7",
    seed: 2,
    patches: [
      replaced(
        "fleet/src/restart.ts",
        'if (policy.mode === "never" ||',
        'if (policy.mode === "always" ||',
      ),
    ],
  },
];
