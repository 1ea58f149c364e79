/**
 * Work that several callers want at once, done once.
 *
 *  F1 At most one flight per key runs at any time, its clean-up included.
 *  F2 A caller that leaves does not disturb the others; when the last one leaves, the work is
 *     cancelled.
 */
import { ImageError } from "./image-error.ts";

/** One caller's interest in a flight. */
export type Passenger<Progress> = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
};

type Work<Result, Progress> = (options: Passenger<Progress>) => Promise<Result>;

type Flight<Result, Progress> = {
  readonly result: Promise<Result>;
  readonly passengers: Set<Passenger<Progress>>;
  readonly cancel: AbortController;
};

export class SingleFlight<Result, Progress> {
  readonly #flights = new Map<string, Flight<Result, Progress>>();

  /** True while work for this key goes on. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /** Joins the flight for `key`, or starts one with `work`. */
  async join(
    key: string,
    passenger: Passenger<Progress>,
    work: Work<Result, Progress>,
  ): Promise<Result> {
    for (;;) {
      if (passenger.signal.aborted) throw left(passenger.signal);
      const flight = this.#flights.get(key) ?? this.#start(key, work);
      if (!flight.cancel.signal.aborted) return await this.#board(flight, passenger);
      // F1: a cancelled flight still cleans up; the next one starts after it.
      const cleanedUp = flight.result.then(
        () => undefined,
        () => undefined,
      );
      await orLeave(cleanedUp, passenger.signal);
    }
  }

  #start(key: string, work: Work<Result, Progress>): Flight<Result, Progress> {
    const passengers = new Set<Passenger<Progress>>();
    const cancel = new AbortController();
    const onProgress = (progress: Progress) => {
      for (const passenger of passengers) passenger.onProgress(progress);
    };
    const result = work({ signal: cancel.signal, onProgress }).finally(() => {
      this.#flights.delete(key);
    });
    const flight = { result, passengers, cancel };
    this.#flights.set(key, flight);
    return flight;
  }

  async #board(flight: Flight<Result, Progress>, passenger: Passenger<Progress>): Promise<Result> {
    // A copy: the same options object given twice counts as two callers.
    const self = { ...passenger };
    flight.passengers.add(self);
    try {
      return await orLeave(flight.result, passenger.signal);
    } finally {
      flight.passengers.delete(self);
      if (flight.passengers.size === 0) flight.cancel.abort();
    }
  }
}

const left = (signal: AbortSignal): ImageError =>
  new ImageError("cancelled", "waiting for shared work: cancelled", { cause: signal.reason });

async function orLeave<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const leaving = Promise.withResolvers<never>();
  const onAbort = () => leaving.reject(left(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, leaving.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
