/** Faults that are there all the time, until the world heals or a spell of them is over. */
import type { FakeVerb } from "@evm/drivers";
import type { Draw } from "./episodes.ts";
import type { SimulatedHost } from "./host.ts";
import { CALM, type Conditions } from "./network.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** What a machine's clock may be off by: the bound on which leases rest. */
const MAX_CLOCK_DRIFT = 0.001;
/** Of a spell: long enough for updates, and for more than one loss of a host. */
const SPELL_MS = [12_000, 360_000] as const;
const VERBS: readonly FakeVerb[] = ["list", "prepare", "start", "stop", "discard"];

type Apply = (world: World, random: SeededRandom) => void;

export const CONDITIONS = {
  delay: network((random) => ({ maxDelayMs: random.between(20, 700) })),
  loss: network((random) => ({ lossRate: random.between(0.005, 0.08) })),
  lostAnswers: network((random) => ({ answerLossRate: random.between(0.01, 0.1) })),
  lostPings: network((random) => ({ pingLossRate: random.between(0.3, 1) })),
  staleViews: network((random) => ({ maxViewLagMs: 50 * 200 ** random.next() })),
  staleOrders: network((random) => ({ staleOrdersRate: random.between(0.05, 0.4) })),
  slowStore: network((random) => ({ maxStoreMs: random.between(50, 4_000) })),
  rejectedCommits: network((random) => ({ rejectRate: random.between(0.05, 0.5) })),
  drift(world, random) {
    for (const machine of [...world.hosts, ...world.nodes]) {
      machine.clockRate = 1 + random.between(-MAX_CLOCK_DRIFT, MAX_CLOCK_DRIFT) / 2;
    }
  },
  slowPrograms(world, random) {
    world.timeline.lookMs = 0.02 * 50 ** random.next();
  },
  slowDrivers(world, random) {
    for (const { runtime } of some(world.hosts, random)) {
      for (const verb of VERBS) runtime.setDelay(verb, random.between(0, 3_000));
    }
  },
  failingDrivers: (world, random) => failures(world, random, false),
  forgetfulDrivers: (world, random) => failures(world, random, true),
  orphanedVerbs(world, random) {
    for (const host of some(world.hosts, random)) host.finishesVerbs = true;
  },
} as const satisfies Readonly<Record<string, Apply>>;

/** What comes with a machine, and does not pass. */
export const LASTING: ReadonlySet<string> = new Set<keyof typeof CONDITIONS>([
  ...(["drift", "orphanedVerbs"] as const),
]);

export type Condition = { readonly kind: string; readonly apply: Apply };

/** Where conditions pass: a spell of some of them, one spell at a time. */
export function spells(conditions: readonly Condition[]): Draw {
  let isOn = false;
  return (world, random) => {
    const drawn = conditions.filter(() => random.chance(0.5));
    if (isOn || drawn.length === 0) return undefined;
    return {
      what: drawn.map(({ kind }) => kind).join(", "),
      begin: () => {
        isOn = true;
        for (const { apply } of drawn) apply(world, random);
      },
      end: () => {
        isOn = false;
        calmDown(world);
      },
      lengthMs: SPELL_MS,
    };
  };
}

/** Ends what is wrong with the network, programs and runtimes all the time. */
export function calmDown({ timeline, network, hosts }: World): void {
  timeline.lookMs = 0;
  network.conditions = CALM;
  for (const { runtime } of hosts) {
    for (const verb of VERBS) {
      runtime.setDelay(verb, 0);
      runtime.failSometimes(verb, { code: "unavailable", isAfterEffect: false }, 0);
    }
  }
}

function network(change: (random: SeededRandom) => Partial<Conditions>): Apply {
  return (world, random) => {
    world.network.conditions = { ...world.network.conditions, ...change(random) };
  };
}

/** A few of them or all, by chance. */
function some(hosts: readonly SimulatedHost[], random: SeededRandom): readonly SimulatedHost[] {
  const rate = random.between(0.1, 1);
  return hosts.filter(() => random.chance(rate));
}

function failures(world: World, random: SeededRandom, isAfterEffect: boolean): void {
  for (const { runtime } of some(world.hosts, random)) {
    for (const verb of VERBS) {
      const rate = random.between(0, 0.3);
      runtime.failSometimes(verb, { code: "unavailable", isAfterEffect }, rate);
    }
  }
}
