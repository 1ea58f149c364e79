/**
 * The time of a simulated world: what is to happen, in the order in which it will. Time passes from
 * event to event. Where programs are slow it passes with each look at a clock, too: then what was
 * to happen meanwhile happens late, as on a machine that is busy.
 */
type Event = {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were scheduled. */
  readonly number: number;
  /** Undefined once it is cancelled: what it would act on may be forgotten. */
  act: (() => void) | undefined;
};

/** Between two turns of the event loop, for what else this process has to do. */
const EVENTS_PER_TURN = 1_000;

export class Timeline {
  /** A binary heap: the next event is the first. */
  readonly #heap: Event[] = [];
  /** How much time passes with each look at a clock. */
  lookMs = 0;
  #nowMs = 0;
  #count = 0;

  /** Since the beginning of the world. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** What a program sees that looks at a clock. */
  lookedAtMs(): number {
    this.#nowMs += this.lookMs;
    return this.#nowMs;
  }

  /** As `after`, by a program's timer: where programs are slow up to 1 ms too early, as Node's. */
  timer(ms: number, act: () => void): () => void {
    if (this.lookMs === 0) return this.after(ms, act);
    return this.after(Math.floor(this.#nowMs + Math.max(1, ms)) - this.#nowMs, act);
  }

  /** Calls `act` after `ms`, unless what it returns is called before. */
  after(ms: number, act: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, ms);
    const event: Event = { atMs, number: this.#count++, act };
    this.#rise(event);
    return () => {
      event.act = undefined;
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
        this.#nowMs = Math.max(this.#nowMs, event.atMs);
        event.act?.();
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
    while (event !== undefined && event.act === undefined) event = this.#take();
    return event;
  }

  #take(): Event | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#sink(last);
    return first;
  }

  /** Puts it where it belongs above or at the end, which is free. */
  #rise(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const upper = (at - 1) >> 1;
      const parent = heap[upper];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = upper;
    }
    heap[at] = event;
  }

  /** Puts it where it belongs below or at the beginning, which is free. */
  #sink(event: Event): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let lower = 2 * at + 1;
      let child = heap[lower];
      const other = heap[lower + 1];
      if (child !== undefined && other !== undefined && isBefore(other, child)) {
        child = other;
        lower += 1;
      }
      if (child === undefined || isBefore(event, child)) break;
      heap[at] = child;
      at = lower;
    }
    heap[at] = event;
  }
}

const isBefore = (a: Event, b: Event): boolean =>
  a.atMs === b.atMs ? a.number < b.number : a.atMs < b.atMs;
