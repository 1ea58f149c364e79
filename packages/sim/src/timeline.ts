/** The time of a simulated world: what is to happen, in the order in which it will. */
type Event = {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were scheduled. */
  readonly number: number;
  readonly act: () => void;
  isCancelled: boolean;
};

/** Between two turns of the event loop, for what else this process has to do. */
const EVENTS_PER_TURN = 1_000;

export class Timeline {
  /** A binary heap: the next event is the first. */
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #count = 0;

  /** Since the beginning of the world. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `act` after `ms`, unless what it returns is called before. */
  after(ms: number, act: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, ms);
    const event: Event = { atMs, number: this.#count++, act, isCancelled: false };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return () => {
      event.isCancelled = true;
    };
  }

  /**
   * Lets events happen, each with all that follows from it without a wait for time, for as long as
   * `goesOn`, which is asked before each and after the last, and there are any.
   */
  run(goesOn: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settled = Promise.resolve();
    let left = EVENTS_PER_TURN;
    const step = () => {
      try {
        const event = goesOn() ? this.#next() : undefined;
        if (event === undefined) return resolve();
        this.#nowMs = event.atMs;
        event.act();
      } catch (error) {
        return reject(error);
      }
      left -= 1;
      if (left > 0) return void settled.then(onSettled);
      left = EVENTS_PER_TURN;
      setImmediate(step);
    };
    // A tick begins once every microtask has run. Nothing in the world does I/O, so that is all
    // that follows from an event.
    const onSettled = () => process.nextTick(step);
    setImmediate(step);
    return promise;
  }

  #next(): Event | undefined {
    let event = this.#take();
    while (event?.isCancelled === true) event = this.#take();
    return event;
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
