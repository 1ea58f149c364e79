/**
 * Keeps the listing of one driver current: the only truth on what runs (D1). Each driver has its
 * own, so that one that hangs holds up nothing but its own instances.
 */
import type { Driver, DriverInstance } from "@evm/drivers";
import { type Clock, isSame } from "@evm/fleet";
import { errorText, type Log, Wake } from "@evm/telemetry";
import { callDriver } from "./driver-call.ts";
import type { AgentMetrics } from "./metrics.ts";

/**
 * Lists at least so often, for what the runtime did not tell of: each time that shows nothing new
 * makes the next wait twice as long, anything else makes it short again.
 */
const MIN_POLL_MS = 5_000;
const MAX_POLL_MS = 40_000;
/**
 * A runtime in turmoil tells of hundreds of changes a second, and each listing covers all of them:
 * so it rests as long as it listed, within these. Every step of an instance waits for a listing.
 */
const MIN_REST_MS = 10;
const MAX_REST_MS = 50;
/**
 * While an instance is up and its readiness not shown yet, it lists this often: no runtime tells of
 * a text on a console, and the next one may wait for this one's place. Listing 300 VMs takes 11 ms.
 */
const READINESS_POLL_MS = 250;
/** One that is not ready by then can wait for the usual poll. */
const MAX_BOOT_MS = 300_000;
/** A watch that broke off is opened again after this, and what is there listed each time. */
const REWATCH_MS = 2_000;

export type Listing = {
  /** Counts the attempts to list: greater means begun later. 0: none has ended yet. */
  readonly number: number;
  /** What was listed by the last attempt that succeeded; the same array while it is the same. */
  readonly instances: readonly DriverInstance[];
  /** Why there is no current listing; its instances may be out of date, and are left alone. */
  readonly problem: string | undefined;
};

export type ListerOptions = {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly onListed: () => void;
};

export class Lister {
  readonly #options: ListerOptions;
  readonly #log: Log;
  readonly #wake = new Wake();
  #begun = 0;
  #latest: Listing = { number: 0, instances: [], problem: "not listed yet" };
  #pollMs = MIN_POLL_MS;

  constructor(options: ListerOptions) {
    this.#options = options;
    this.#log = options.log.child({ driver: options.driver.kind });
  }

  get driver(): Driver {
    return this.#options.driver;
  }

  get latest(): Listing {
    return this.#latest;
  }

  /** Number of the attempt last begun: only a later one sees what is done now. */
  get begun(): number {
    return this.#begun;
  }

  /** Lists again soon. */
  refresh(): void {
    this.#wake.wake();
  }

  /** Lists until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#listForever(signal), this.#watchForever(signal)]);
  }

  async #listForever(signal: AbortSignal): Promise<void> {
    const { clock, onListed } = this.#options;
    while (!signal.aborted) {
      const begunMs = clock.monotonicMs();
      await this.#list(signal);
      onListed();
      const tookMs = clock.monotonicMs() - begunMs;
      const restMs = Math.min(Math.max(tookMs, MIN_REST_MS), MAX_REST_MS);
      const pollMs = this.#isAnyAwaited() ? READINESS_POLL_MS : this.#pollMs;
      await this.#wake.wait(pollMs, clock, signal, restMs);
    }
  }

  /** True while an instance is up that may be ready soon. */
  #isAnyAwaited(): boolean {
    const since = this.#options.clock.now() - MAX_BOOT_MS;
    return this.#latest.instances.some(
      ({ state, startedAt = 0 }) => state === "running" && startedAt > since,
    );
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { driver, clock, metrics } = this.#options;
    const number = ++this.#begun;
    try {
      const call = { driver, verb: "list", clock, metrics, signal } as const;
      const instances = await callDriver(call, (limited) => driver.list(limited));
      if (this.#latest.problem !== undefined) {
        this.#log.info("the driver lists", { instances: instances.length });
      }
      const { instances: before, problem } = this.#latest;
      const listed = isSame(before, instances) ? before : instances;
      const isNews = listed !== before || problem !== undefined;
      this.#pollMs = isNews ? MIN_POLL_MS : Math.min(2 * this.#pollMs, MAX_POLL_MS);
      this.#latest = { number, instances: listed, problem: undefined };
    } catch (error) {
      signal.throwIfAborted();
      const problem = `the ${driver.kind} driver cannot list: ${errorText(error)}`;
      if (this.#latest.problem !== problem) this.#log.warn(problem);
      this.#pollMs = MIN_POLL_MS;
      this.#latest = { number, instances: this.#latest.instances, problem };
    }
  }

  async #watchForever(signal: AbortSignal): Promise<void> {
    const { driver, clock } = this.#options;
    while (!signal.aborted) {
      try {
        await driver.watch(() => this.refresh(), signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#log.warn("the driver's watch broke off", { error });
        this.#pollMs = MIN_POLL_MS;
        this.refresh();
      }
      await clock.sleep(REWATCH_MS, signal);
    }
  }
}
