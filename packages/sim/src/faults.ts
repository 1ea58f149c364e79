/**
 * What goes wrong in a world. Each seed switches some kinds on (swarm testing: a run with few kinds
 * reaches what a run with all of them never would) and draws how often and how badly they strike.
 */
import { CONDITIONS, type Condition, calmDown, LASTING, spells } from "./conditions.ts";
import { ControlLoss } from "./control-loss.ts";
import { type Draw, EPISODES, type Episode, replacement } from "./episodes.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** How likely a seed has each kind: drawn by seed, for many hide what few would show. */
const KIND_RATE = [0.08, 0.4] as const;
/** From a hiccup to longer than a lease and its margin; some kinds last longer. */
const EPISODE_MS = [200, 20_000] as const;
/** The lease that these lengths are meant for; they are longer where it is. */
const USUAL_LEASE_MS = 6_000;
/** The loss of all that coordinators know. */
const CONTROL_LOSS = "forgetControl";
/** The loss of a host's machine, disk and all. */
const REPLACEMENT = "replaceMachine";

/** Every kind of fault. */
export const FAULT_KINDS: readonly string[] = [
  ...Object.keys(CONDITIONS),
  ...Object.keys(EPISODES),
  CONTROL_LOSS,
  REPLACEMENT,
];

export type FaultOptions = {
  /** Between two of a kind; drawn by kind. */
  readonly gapMs: readonly [least: number, most: number];
  /** What coordinators grant: faults are about as long. */
  readonly leaseMs: number;
  readonly controlLossRate: number;
  readonly replacementRate: number;
  /** True where lasting faults come and go. */
  readonly hasSpells: boolean;
  /** The only kinds that may be switched on; undefined: any. */
  readonly only: ReadonlySet<string> | undefined;
  /** Episodes that do not strike, by number. */
  readonly without: ReadonlySet<number>;
};

export class Faults {
  /** The kinds that this seed switched on. */
  readonly kinds: string[] = [];
  /** How many episodes there were, those that did not strike included. */
  episodes = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #options: FaultOptions;
  readonly #kindRate: number;
  readonly #open = new Set<Episode>();
  #controlLoss: ControlLoss | undefined;
  #isOver = false;

  constructor(world: World, random: SeededRandom, options: FaultOptions) {
    this.#world = world;
    this.#random = random;
    this.#options = options;
    this.#kindRate = random.fork("kinds").between(...KIND_RATE);
  }

  /** Switches this seed's kinds on; before the world starts. */
  begin(): void {
    const { trace } = this.#world;
    const passing: Condition[] = [];
    for (const [kind, apply] of Object.entries(CONDITIONS)) {
      const random = this.#drawn(kind);
      if (random === undefined) continue;
      if (this.#options.hasSpells && !LASTING.has(kind)) {
        passing.push({ kind, apply });
        continue;
      }
      trace.add(`fault ${kind} all along`);
      apply(this.#world, random);
    }
    if (passing.length > 0) this.#begin("spells", spells(passing), this.#random.fork("spells"));
    for (const [kind, draw] of Object.entries(EPISODES)) {
      const random = this.#drawn(kind);
      if (random !== undefined) this.#begin(kind, draw, random);
    }
    const { gapMs, leaseMs, controlLossRate, replacementRate } = this.#options;
    const replacing = this.#drawn(REPLACEMENT, replacementRate);
    if (replacing !== undefined) this.#begin(REPLACEMENT, replacement, replacing);
    const random = this.#drawn(CONTROL_LOSS, controlLossRate);
    if (random === undefined) return;
    const between = [4 * gapMs[0], 2 * gapMs[1]] as const;
    this.#controlLoss = new ControlLoss(this.#world, random, { gapMs: between, leaseMs });
    this.#controlLoss.begin();
    trace.add(`fault ${CONTROL_LOSS}`);
  }

  /** Ends all of them for good; whatever is dead starts. */
  heal(): void {
    const { trace } = this.#world;
    trace.add("everything heals");
    this.#isOver = true;
    for (const episode of [...this.#open]) this.#end(episode);
    calmDown(this.#world);
    this.#controlLoss?.end();
    this.#world.start();
  }

  /** Chance for a kind that this seed has. */
  #drawn(kind: string, rate = this.#kindRate): SeededRandom | undefined {
    const { only } = this.#options;
    const random = this.#random.fork(kind);
    if (!random.chance(rate) || only?.has(kind) === false) return undefined;
    this.kinds.push(kind);
    return random;
  }

  #begin(kind: string, draw: Draw, random: SeededRandom): void {
    const gapMs = random.between(...this.#options.gapMs);
    this.#world.trace.add(`fault ${kind} about every ${Math.round(gapMs / 1000)} s`);
    this.#next(draw, random, gapMs);
  }

  #next(draw: Draw, random: SeededRandom, gapMs: number): void {
    this.#world.timeline.after(gapMs * random.between(0.2, 1.8), () => {
      if (this.#isOver) return;
      const scale = this.#options.leaseMs / USUAL_LEASE_MS;
      const episode = draw(this.#world, random);
      // Short ones are as likely as long ones, whatever their scale.
      const [least, most] = episode?.lengthMs ?? EPISODE_MS;
      const ms = scale * least * (most / least) ** random.next();
      const number = this.episodes++;
      if (episode !== undefined && !this.#options.without.has(number)) {
        this.#strike(episode, ms, number);
      }
      this.#next(draw, random, gapMs);
    });
  }

  #strike(episode: Episode, ms: number, number: number): void {
    const { timeline, trace } = this.#world;
    trace.add(`fault ${number}: ${episode.what} for ${Math.round(ms)} ms`);
    this.#open.add(episode);
    episode.begin();
    timeline.after(ms, () => this.#end(episode));
  }

  #end(episode: Episode): void {
    if (this.#open.delete(episode)) episode.end();
  }
}
