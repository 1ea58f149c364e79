/** What of a seed is run, as it is typed. */
import { parseArgs } from "node:util";
import { FAULT_KINDS } from "./faults.ts";
import type { Selection } from "./run.ts";
import { SCENARIOS, type Scenario } from "./scenario.ts";

export const USAGE = `Runs simulated worlds in which things go wrong, and watches the invariants.

  npm run sim -- --seeds 1000            so many seeds, over all cores
  npm run sim -- --minutes 4             as many as that takes
  npm run sim -- --seed 20               one, with its trace
  npm run sim -- --mutations             breaks the programs on purpose: which oracle notices

  --scenario NAME      ${Object.keys(SCENARIOS).join(", ")}; small by default
  --from N             the first seed of a batch; 1 by default
  --hosts N --coordinators N --fleets N --instances N
                       another size than the scenario's
  --until SECONDS      how long things go wrong
  --only KIND,KIND     no other kinds of faults than these
  --without N,N        leave out these faults, by number
`;

export type Command =
  | {
      readonly kind: "batch";
      readonly from: number;
      readonly seeds: number;
      readonly limitMs: number;
    }
  | { readonly kind: "replay"; readonly seed: number }
  | { readonly kind: "mutations" }
  | { readonly kind: "help" };

export type Parsed = {
  readonly command: Command;
  /** For every seed. */
  readonly selectionOf: (seed: number) => Selection;
};

const OPTIONS = {
  seed: { type: "string" },
  seeds: { type: "string" },
  minutes: { type: "string" },
  mutations: { type: "boolean" },
  scenario: { type: "string", default: "small" },
  from: { type: "string", default: "1" },
  hosts: { type: "string" },
  coordinators: { type: "string" },
  fleets: { type: "string" },
  instances: { type: "string" },
  until: { type: "string" },
  only: { type: "string" },
  without: { type: "string" },
  help: { type: "boolean" },
} as const;

/** @throws Error that says which option is wrong, and what was expected */
export function parseCommandLine(args: readonly string[]): Parsed {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const number = (name: "seed" | "seeds" | "minutes" | "from" | "until" | Size) => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text.replace(/s$/, ""));
    if (Number.isFinite(value) && value > 0) return value;
    throw new Error(`--${name} ${text}: expected a number above 0`);
  };
  const size = Object.fromEntries(
    SIZES.flatMap((name) => {
      const value = number(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const until = number("until");
  const scenario: Scenario = {
    ...scenarioOf(values.scenario),
    ...size,
    ...(until === undefined ? {} : { faultsMs: until * 1000 }),
  };
  const only = values.only?.split(",").filter((kind) => kind !== "");
  const unknown = only?.find((kind) => !FAULT_KINDS.includes(kind));
  if (unknown !== undefined) {
    throw new Error(`--only ${unknown}: expected some of ${FAULT_KINDS.join(", ")}`);
  }
  const without = values.without?.split(",").map(Number) ?? [];
  const [seed, seeds, minutes] = [number("seed"), number("seeds"), number("minutes")];
  return {
    command: commandOf(),
    selectionOf: (each) => ({ seed: each, scenario, only, without }),
  };

  function commandOf(): Command {
    if (values.mutations === true) return { kind: "mutations" };
    if (seed !== undefined) return { kind: "replay", seed };
    if (seeds === undefined && minutes === undefined) return { kind: "help" };
    const limitMs = minutes === undefined ? Number.POSITIVE_INFINITY : minutes * 60_000;
    const from = number("from") ?? 1;
    return { kind: "batch", from, seeds: seeds ?? Number.POSITIVE_INFINITY, limitMs };
  }
}

/** The command that runs just this. */
export function commandLineOf({ seed, scenario, only, without }: Selection): string {
  const usual = scenarioOf(scenario.name);
  const sizes = SIZES.flatMap((name) =>
    scenario[name] === usual[name] ? [] : [`--${name} ${scenario[name]}`],
  );
  return [
    `npm run sim -- --seed ${seed}`,
    ...(scenario.name === "small" ? [] : [`--scenario ${scenario.name}`]),
    ...sizes,
    ...(scenario.faultsMs === usual.faultsMs ? [] : [`--until ${scenario.faultsMs / 1000}s`]),
    ...(only === undefined ? [] : [`--only ${only.length === 0 ? "," : only.join(",")}`]),
    ...(without.length === 0 ? [] : [`--without ${without.join(",")}`]),
  ].join(" ");
}

const SIZES = ["hosts", "coordinators", "fleets", "instances"] as const;
type Size = (typeof SIZES)[number];

function scenarioOf(name: string): Scenario {
  const found = Object.values(SCENARIOS).find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Error(`--scenario ${name}: expected one of ${Object.keys(SCENARIOS).join(", ")}`);
}
