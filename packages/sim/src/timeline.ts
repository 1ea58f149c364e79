/** The time of a simulated world: what is to happen, in the order in which it will. */
type Event = {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were scheduled. */
  readonly number: number;
  readonly act: () => void;
  isCancelled: boolean;
};

export type Scheduled = { readonly cancel: () => void };

export class Timeline {
  /** A binary heap: the next event is the first. */
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #count = 0;

  /** Since the beginning of the world. */
  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, act: () => void): Scheduled {
    const atMs = this.#nowMs + Math.max(0, ms);
    const event: Event = { atMs, number: this.#count++, act, isCancelled: false };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** Lets the next event happen with all that follows from it at once; false: none is left. */
  async step(): Promise<boolean> {
    for (let event = this.#take(); event !== undefined; event = this.#take()) {
      if (event.isCancelled) continue;
      this.#nowMs = event.atMs;
      event.act();
      await settle();
      return true;
    }
    return false;
  }

  #take(): Event | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    this.#sink();
    return first;
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, at)) return;
      at = parent;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child = this.#isBefore(right, left) ? right : left;
      if (!this.#swapUnlessOrdered(at, child)) return;
      at = child;
    }
  }

  /** True where the lower one was to come first. */
  #swapUnlessOrdered(upper: number, lower: number): boolean {
    const [above, below] = [this.#heap[upper], this.#heap[lower]];
    if (above === undefined || below === undefined || !this.#isBefore(lower, upper)) return false;
    this.#heap[upper] = below;
    this.#heap[lower] = above;
    return true;
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return a !== undefined;
    return a.atMs === b.atMs ? a.number < b.number : a.atMs < b.atMs;
  }
}

/**
 * Resolves once every microtask has run: all that follows without a wait for time. Nothing in the
 * world does I/O, so nothing else is ever awaited.
 */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
