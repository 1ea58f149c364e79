/**
 * What goes wrong in a world. Each seed switches some kinds on (swarm testing: a run with few kinds
 * reaches what a run with all of them never would) and draws how often and how badly they strike.
 */
import type { FakeVerb } from "@evm/drivers";
import type { SimulatedHost } from "./host.ts";
import { CALM } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** How likely a seed has each kind. */
const KIND_RATE = 0.4;
const MIN_GAP_MS = 3_000;
const MAX_GAP_MS = 25_000;
/** From a hiccup to longer than a lease and its margin. */
const MIN_EPISODE_MS = 200;
const MAX_EPISODE_MS = 20_000;
/** What a machine's clock may be off by: the bound on which leases rest. */
const MAX_CLOCK_DRIFT = 0.001;
const VERBS: readonly FakeVerb[] = ["list", "prepare", "start", "stop", "discard"];

type Episode = {
  readonly what: string;
  readonly begin: () => void;
  readonly end: () => void;
};

type Draw = (world: World, random: SeededRandom) => Episode | undefined;

/** Faults that strike now and then, and end. */
const EPISODES = {
  crashCoordinator: (world, random) => death(random.pick(world.nodes)),
  crashAgent: (world, random) => death(random.pick(world.hosts)),
  losePower(world, random) {
    const host = random.pick(world.hosts);
    if (host === undefined) return undefined;
    const begin = () => host.losePower();
    return { what: `${host.address} loses power`, begin, end: () => host.start() };
  },
  freezeCoordinator: (world, random) => freeze(random.pick(world.nodes)),
  freezeAgent: (world, random) => freeze(random.pick(world.hosts)),
  cut(world, random) {
    const one = random.pick([...world.nodes, ...world.hosts]);
    if (one === undefined) return undefined;
    return moved(world, [one.address], random.integer(1, 1_000_000));
  },
  split(world, random) {
    const node = random.pick(world.nodes);
    const hosts = world.hosts.filter(() => random.chance(0.5));
    if (node === undefined) return undefined;
    const names = [node, ...hosts].map(({ address }) => address);
    return moved(world, names, random.integer(1, 1_000_000));
  },
  oneWayCut(world, random) {
    const one = random.pick([...world.nodes, ...world.hosts]);
    if (one === undefined) return undefined;
    const how = random.chance(0.5) ? "deaf" : "mute";
    const impair = (to: typeof how | undefined) => world.network.impair(one.address, to);
    const what = `${one.address} ${how}`;
    return { what, begin: () => impair(how), end: () => impair(undefined) };
  },
  crashInstance(world, random) {
    const host = random.pick(world.hosts);
    const victim = random.pick(host?.running() ?? []);
    if (host === undefined || victim === undefined) return undefined;
    const what = `${victim.name}.${victim.incarnation} on ${host.name} crashes`;
    return { what, begin: () => host.runtime.crash(victim), end: () => undefined };
  },
} as const satisfies Readonly<Record<string, Draw>>;

/** Faults that are there all the time until the world heals. */
const CONDITIONS = {
  delay: (world, random) => condition(world, { maxDelayMs: random.between(20, 700) }),
  loss: (world, random) => condition(world, { lossRate: random.between(0.005, 0.08) }),
  lostAnswers: (world, random) => condition(world, { answerLossRate: random.between(0.01, 0.1) }),
  lostPings: (world, random) => condition(world, { pingLossRate: random.between(0.3, 1) }),
  staleViews: (world, random) => condition(world, { maxViewLagMs: 50 * 200 ** random.next() }),
  staleOrders: (world, random) => condition(world, { staleOrdersRate: random.between(0.05, 0.4) }),
  drift(world, random) {
    for (const machine of [...world.hosts, ...world.nodes]) {
      machine.clockRate = 1 + random.between(-MAX_CLOCK_DRIFT, MAX_CLOCK_DRIFT) / 2;
    }
  },
  slowDrivers(world, random) {
    for (const { runtime } of world.hosts) {
      for (const verb of VERBS) runtime.setDelay(verb, random.between(0, 3_000));
    }
  },
  failingDrivers: (world, random) => failures(world, random, false),
  forgetfulDrivers: (world, random) => failures(world, random, true),
  orphanedVerbs(world) {
    for (const host of world.hosts) host.finishesVerbs = true;
  },
} as const satisfies Readonly<Record<string, (world: World, random: SeededRandom) => void>>;

export class Faults {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #open = new Set<Episode>();
  #isOver = false;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
  }

  /** Switches this seed's kinds on; before the world starts. */
  begin(): void {
    const { trace } = this.#world;
    for (const [kind, apply] of Object.entries(CONDITIONS)) {
      const random = this.#random.fork(kind);
      if (!random.chance(KIND_RATE)) continue;
      trace.add(`fault ${kind} all along`);
      apply(this.#world, random);
    }
    for (const [kind, draw] of Object.entries(EPISODES)) {
      const random = this.#random.fork(kind);
      if (!random.chance(KIND_RATE)) continue;
      const gapMs = random.between(MIN_GAP_MS, MAX_GAP_MS);
      trace.add(`fault ${kind} about every ${Math.round(gapMs / 1000)} s`);
      this.#next(draw, random, gapMs);
    }
  }

  /** Ends all of them for good; whatever is dead starts. */
  heal(): void {
    const { network, hosts, trace } = this.#world;
    trace.add("everything heals");
    this.#isOver = true;
    network.conditions = CALM;
    for (const episode of [...this.#open]) this.#end(episode);
    for (const { runtime } of hosts) {
      for (const verb of VERBS) {
        runtime.setDelay(verb, 0);
        runtime.failSometimes(verb, { code: "unavailable", isAfterEffect: false }, 0);
      }
    }
    this.#world.start();
  }

  #next(draw: Draw, random: SeededRandom, gapMs: number): void {
    this.#world.timeline.after(gapMs * random.between(0.2, 1.8), () => {
      if (this.#isOver) return;
      const episode = draw(this.#world, random);
      if (episode !== undefined) this.#strike(episode, random);
      this.#next(draw, random, gapMs);
    });
  }

  #strike(episode: Episode, random: SeededRandom): void {
    const { timeline, trace } = this.#world;
    // Short ones are as likely as long ones, whatever their scale.
    const ms = MIN_EPISODE_MS * (MAX_EPISODE_MS / MIN_EPISODE_MS) ** random.next();
    trace.add(`fault ${episode.what} for ${Math.round(ms)} ms`);
    this.#open.add(episode);
    episode.begin();
    timeline.after(ms, () => this.#end(episode));
  }

  #end(episode: Episode): void {
    if (this.#open.delete(episode)) episode.end();
  }
}

function death(program: SimulatedHost | SimulatedNode | undefined): Episode | undefined {
  if (program === undefined) return undefined;
  const what = `${program.address} dies`;
  return { what, begin: () => program.kill(), end: () => program.start() };
}

function freeze(program: SimulatedHost | SimulatedNode | undefined): Episode | undefined {
  const process =
    program === undefined || "life" in program ? program?.life?.process : program.process;
  if (program === undefined || process === undefined) return undefined;
  const what = `${program.address} freezes`;
  return { what, begin: () => process.freeze(), end: () => process.thaw() };
}

function moved(world: World, names: readonly string[], side: number): Episode {
  const move = (to: number) => {
    for (const name of names) world.network.moveTo(to, name);
  };
  return { what: `${names.join(", ")} cut off`, begin: () => move(side), end: () => move(0) };
}

function condition(world: World, change: Partial<World["network"]["conditions"]>): void {
  world.network.conditions = { ...world.network.conditions, ...change };
}

function failures(world: World, random: SeededRandom, isAfterEffect: boolean): void {
  for (const { runtime } of world.hosts) {
    for (const verb of VERBS) {
      const rate = random.between(0, 0.3);
      runtime.failSometimes(verb, { code: "unavailable", isAfterEffect }, rate);
    }
  }
}
