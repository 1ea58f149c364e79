/**
 * Random histories: orders change, instances crash, drivers fail and hang, the store comes and
 * goes, the agent is restarted. A failing seed is printed with the test's name: it repeats exactly.
 */
import type { FakeVerb } from "@evm/drivers";
import { expect, test } from "vitest";
import { AgentWorld, FLEET, type OrderedWish } from "./agent-world.testing.ts";

const SEEDS = Array.from({ length: 25 }, (_, seed) => seed + 1);
const ROUNDS = 40;
const INSTANCES = 5;
/** More than every retry, backoff and grace of the agent together. */
const SETTLE_MS = 300_000;
const VERBS: readonly FakeVerb[] = ["list", "prepare", "start", "stop", "discard"];
const RESTART = {
  ...FLEET.restart,
  maxRestarts: 1_000_000,
  backoffMs: 100,
  maxBackoffMs: 2_000,
};

/** Mulberry32: a small generator with a seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Wish = Required<Pick<OrderedWish, "index" | "incarnation" | "desired">>;

class History {
  readonly #random: () => number;
  readonly #world: AgentWorld;
  readonly #wishes = new Map<number, readonly Wish[]>();
  readonly #discarded = new Set<string>();
  #seen: ReadonlySet<string> = new Set();
  #isRunning = true;

  constructor(seed: number) {
    this.#random = generator(seed);
    this.#world = new AgentWorld({}, this.#random);
  }

  async run(): Promise<void> {
    await using world = this.#world;
    world.start();
    for (let round = 0; round < ROUNDS; round++) {
      await this.#act();
      await this.#pass(Math.floor(this.#random() * 5_000));
    }
    await this.#settle();
    expect(world.states()).toEqual(this.#expected());
  }

  async #act(): Promise<void> {
    const world = this.#world;
    const verb = this.#pick(VERBS) ?? "list";
    switch (Math.floor(this.#random() * 8)) {
      case 0:
      case 1:
      case 2:
        return this.#reorder();
      case 3: {
        const victim = this.#pick(world.runtime.instances());
        return victim && world.runtime.crash(victim);
      }
      case 4: {
        const fault = { code: "unavailable", isAfterEffect: this.#random() < 0.5 } as const;
        return world.runtime.failSometimes(verb, fault, this.#random() < 0.5 ? 0.4 : 0);
      }
      case 5:
        return world.runtime.setDelay(verb, this.#random() < 0.5 ? 3_000 * this.#random() : 0);
      case 6:
        return this.#random() < 0.5 ? world.cutOff() : world.heal();
      default:
        if (this.#isRunning) await world.stop();
        else world.start();
        this.#isRunning = !this.#isRunning;
    }
  }

  /** Asks something else of one instance; a newer incarnation comes with the end of the older. */
  async #reorder(): Promise<void> {
    const index = Math.floor(this.#random() * INSTANCES);
    const newest = this.#wishes.get(index)?.at(-1);
    const incarnation = newest?.incarnation ?? 1;
    const isOver = newest?.desired === "discard";
    const fate = this.#random() < 0.5 ? "stop" : "discard";
    const old = (desired: Wish["desired"]) => ({ index, incarnation, desired });
    const run = (of: number) => ({ index, incarnation: of, desired: "run" }) as const;
    const isRenewed = isOver || this.#random() < 0.4;
    if (newest === undefined) this.#wishes.set(index, [run(1)]);
    else if (!isRenewed) this.#wishes.set(index, [old(fate)]);
    else this.#wishes.set(index, [old(isOver ? "discard" : fate), run(incarnation + 1)]);
    const wishes = [...this.#wishes.values()].flat();
    for (const one of wishes) {
      if (one.desired === "discard") this.#discarded.add(nameOf(one));
    }
    await this.#world.order(wishes, { restart: RESTART });
  }

  /** Lets time pass, and looks often at what must hold at every moment. */
  async #pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.#world.clock.advance(100);
      const up = this.#world.runtime
        .instances()
        .filter(({ state }) => state === "running" || state === "ready")
        .map(({ name }) => name);
      expect(up, "two incarnations run side by side").toEqual([...new Set(up)]);
      const now = new Set(Object.keys(this.#world.states()));
      const gone = [...this.#seen].filter((name) => !now.has(name));
      expect(
        gone.filter((name) => !this.#discarded.has(name)),
        "removed without an order (I4)",
      ).toEqual([]);
      this.#seen = now;
    }
  }

  async #settle(): Promise<void> {
    for (const verb of VERBS) {
      this.#world.runtime.setDelay(verb, 0);
      this.#world.runtime.failSometimes(verb, { code: "unavailable", isAfterEffect: false }, 0);
    }
    this.#world.heal();
    if (!this.#isRunning) this.#world.start();
    await this.#world.clock.advance(SETTLE_MS);
  }

  /** What runs is as ordered; what was stopped may rest, and only what was discarded is gone. */
  #expected(): Readonly<Record<string, unknown>> {
    const resting = Object.keys(this.#world.states()).map((name) => [
      name,
      expect.stringMatching(/^(created|exited)$/),
    ]);
    const ordered = [...this.#wishes.values()].flat();
    const running = ordered
      .filter(({ desired }) => desired === "run")
      .map((one) => [nameOf(one), "ready"]);
    const discarded = new Set(
      ordered.filter(({ desired }) => desired === "discard").map((one) => nameOf(one)),
    );
    const left = resting.filter(([name]) => !discarded.has(String(name)));
    return Object.fromEntries([...left, ...running]);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}

const nameOf = ({ index, incarnation }: Wish): string =>
  `${FLEET.name}-${String(index).padStart(4, "0")}.${incarnation}`;

test.for(SEEDS)(
  "after any faults the host is as ordered, and nothing is lost: seed %i",
  async (seed) => {
    await new History(seed).run();
  },
);
