/** Mistakes of the planner, the second opinion silenced where it would object first. */
import type { Mutation } from "../mutation.ts";
import { replaced, without } from "./patches.ts";

export const PLANNER_MUTATIONS: readonly Mutation[] = [
  {
    name: "another machine is given a host's orders while the first is not lost",
    invariant: "check",
    scenario: "replaced",
    seed: 2,
    patches: [
      replaced(
        "fleet/src/addressee.ts",
        "return successor ?? orders?.agent",
        "return view.rival ?? successor ?? orders?.agent",
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
      without("checkPrecedence(changes)"),
      without("checkDiscards(snapshot, changes)"),
      without("checkCapacity(changes, snapshot.overcommit)"),
    ],
  },
  {
    name: "an end counts as reported by a report from before it was ordered",
    invariant: "I2",
    seed: 206,
    patches: [
      replaced(
        "fleet/src/reconcile/work.ts",
        '  entry.was !== "run" &&\n  entry.host.isCurrent &&\n',
        '  entry.was !== "run" &&\n',
      ),
      without("checkPrecedence(changes)"),
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
    name: "an update ends as many at once as it likes",
    invariant: "availability",
    seed: 3,
    patches: [
      replaced(
        "fleet/src/reconcile/end-in-turn.ts",
        "unavailable >= maxUnavailable",
        "unavailable > 1e9",
      ),
    ],
  },
];
