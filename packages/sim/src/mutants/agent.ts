/** Mistakes of agents. */
import type { Mutation } from "../mutation.ts";
import { replaced } from "./patches.ts";

export const AGENT_MUTATIONS: readonly Mutation[] = [
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
    name: "an agent accepts older orders",
    invariant: "I5",
    seed: 7,
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
    name: "an agent obeys orders for another machine",
    invariant: "I5",
    scenario: "replaced",
    seed: 44,
    patches: [
      replaced(
        "fleet/src/accept-orders.ts",
        "const isForeign = incoming.agent !== agent;",
        "const isForeign = incoming.agent !== agent && agent === undefined;",
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
    name: "an agent does not notice a lease that ends between two looks at it",
    invariant: "I2",
    seed: 3531,
    patches: [
      replaced(
        "agent/src/lease.ts",
        "return Math.max(0, this.#usableUntilMs - this.#options.clock.monotonicMs());",
        [
          "const leftMs = this.#usableUntilMs - this.#options.clock.monotonicMs();",
          "return leftMs > 0 ? leftMs : Number.POSITIVE_INFINITY;",
        ].join("\n"),
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
  {
    name: "a driver lists as ended what its runtime is still starting",
    invariant: "I2",
    seed: 2016,
    patches: [
      replaced(
        "drivers/src/fake/fake-runtime.ts",
        "while (this.#abandoned.size > 0)",
        "while (this.#abandoned.size < 0)",
      ),
    ],
  },
];
