/**
 * What goes wrong in a world. Each seed switches some kinds on (swarm testing: a run with few kinds
 * reaches what a run with all of them never would) and draws how often and how badly they strike.
 */
import { CONDITIONS, mend } from "./conditions.ts";
import { type Draw, EPISODES, type Episode } from "./episodes.ts";
import { CALM } from "./network.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** How likely a seed has each kind: drawn by seed, for many hide what few would show. */
const KIND_RATE = [0.08, 0.4] as const;
/** From a hiccup to longer than a lease and its margin; some kinds last longer. */
const EPISODE_MS = [200, 20_000] as const;

/** Every kind of fault. */
export const FAULT_KINDS: readonly string[] = [
  ...Object.keys(CONDITIONS),
  ...Object.keys(EPISODES),
];

export type FaultOptions = {
  /** Between two of a kind; drawn by kind. */
  readonly gapMs: readonly [least: number, most: number];
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
    for (const [kind, apply] of Object.entries(CONDITIONS)) {
      const random = this.#drawn(kind);
      if (random === undefined) continue;
      trace.add(`fault ${kind} all along`);
      apply(this.#world, random);
    }
    for (const [kind, draw] of Object.entries(EPISODES)) {
      const random = this.#drawn(kind);
      if (random === undefined) continue;
      const gapMs = random.between(...this.#options.gapMs);
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
    for (const host of hosts) mend(host);
    this.#world.start();
  }

  /** Chance for a kind that this seed has. */
  #drawn(kind: string): SeededRandom | undefined {
    const { only } = this.#options;
    const random = this.#random.fork(kind);
    if (!random.chance(this.#kindRate) || only?.has(kind) === false) return undefined;
    this.kinds.push(kind);
    return random;
  }

  #next(draw: Draw, random: SeededRandom, gapMs: number): void {
    this.#world.timeline.after(gapMs * random.between(0.2, 1.8), () => {
      if (this.#isOver) return;
      const episode = draw(this.#world, random);
      // Short ones are as likely as long ones, whatever their scale.
      const [least, most] = episode?.lengthMs ?? EPISODE_MS;
      const ms = least * (most / least) ** random.next();
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
