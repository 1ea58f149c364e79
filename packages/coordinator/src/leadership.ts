/**
 * Which coordinator leads. The epoch key, taken by compare-and-set, says so; pings over the bus
 * only save needless elections, and the fence in every commit gives the safety: a leader that
 * froze and wakes cannot write, whatever it believes.
 *
 *  L1 A coordinator acts as leader only with an epoch that it wrote itself in this life.
 *  L2 It stops as soon as it sees a newer epoch.
 *  L3 It promises leases only for `FOOTING_MS` after it asked the store, by a write, whether its
 *     epoch is the newest, and heard that it is. So whoever takes the next epoch knows when the
 *     last promise was made, even by a leader that still reaches hosts but not the store.
 *  L4 Where it does not know what became of a write under its epoch, it takes a new one in its
 *     place: then the store has the write, or refuses it for good.
 *  L5 It stands only once the store has answered it after the silence: whoever hears nobody may be
 *     deaf itself, and would depose a leader that works.
 */
import type { Clock } from "@evm/fleet";
import type { ClaimOutcome, CoordinatorStore } from "@evm/store";
import { Wake } from "@evm/telemetry";

/** How often the leader pings. */
export const PING_INTERVAL_MS = 300;
/** So long without a ping and a follower stands for leader: five lost pings in a row. */
export const TAKEOVER_MS = 1_500;
/** Followers wait up to this much longer, each by chance, so that one of them is first. */
const TAKEOVER_JITTER_MS = 300;
/** Before a claim that failed is repeated: a store that is away is not there at once. */
const RETRY_MS = 500;
/** Timers may fire a little early: what is not due yet then is not looked at over and over. */
const MIN_WAIT_MS = 1;
/**
 * How long a confirmation serves. NATS takes 4 to 8 s to replace a stream's leader: with what is
 * left of the last leases then (3.5 s of 6), this bridges it, though the last be a second old.
 */
export const FOOTING_MS = 8_000;
/** A confirmation older than this is to be renewed; each is one small write. */
const CONFIRM_INTERVAL_MS = 1_000;

type Leading = {
  readonly kind: "leading";
  readonly epoch: number;
  readonly sinceMs: number;
  /** When the store was last asked that then confirmed this epoch. */
  readonly confirmedAtMs: number;
};

export type LeadershipState = { readonly kind: "following" } | Leading;

export type LeadershipOptions = {
  readonly id: string;
  readonly store: Pick<
    CoordinatorStore,
    "onPing" | "ping" | "control" | "watch" | "catchUp" | "claimEpoch"
  >;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Told when it begins to lead and when it stops. */
  readonly onChange: (state: LeadershipState) => void;
  /** Told of claims that failed for another reason than losing: the store is away. */
  readonly onError: (error: unknown) => void;
};

export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #wake = new Wake();
  #state: LeadershipState = { kind: "following" };
  #knownEpoch = 0;
  /** Not before this moment does a follower stand. */
  #standAtMs: number;
  #pingedAtMs = Number.NEGATIVE_INFINITY;
  /** The epoch to be replaced (L4). */
  #doubtedEpoch: number | undefined;
  /** True while the store is asked for an epoch. */
  #isClaiming = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#standAtMs = options.clock.monotonicMs();
  }

  get state(): LeadershipState {
    return this.#state;
  }

  /** True where leases may be promised (L3). */
  get hasFooting(): boolean {
    return this.#confirmationAgeMs() < FOOTING_MS;
  }

  /** True where it leads and the store should be asked again. */
  get isToBeConfirmed(): boolean {
    return this.#state.kind === "leading" && this.#confirmationAgeMs() >= CONFIRM_INTERVAL_MS;
  }

  /** Notes that a write under `epoch`, begun at `askedAtMs`, passed the fence. */
  confirmed(epoch: number, askedAtMs: number): void {
    const state = this.#state;
    if (state.kind !== "leading" || state.epoch !== epoch) return;
    this.#state = { ...state, confirmedAtMs: Math.max(state.confirmedAtMs, askedAtMs) };
  }

  /** Asks for a new epoch in place of this one, soon (L4). */
  doubt(epoch: number): void {
    this.#doubtedEpoch = epoch;
    this.#wake.wake();
  }

  /** Follows, stands, leads and steps down; rejects with the signal's reason when that fires. */
  async run(signal: AbortSignal): Promise<never> {
    const { store, clock, id } = this.#options;
    store.onPing((ping) => {
      if (ping.epoch >= this.#knownEpoch) this.#bePatient();
    }, signal);
    const { epoch, leader } = store.control().epoch;
    this.#knownEpoch = epoch;
    // Where nobody ever led, or this coordinator did in an earlier life, there is nobody to hear.
    if (epoch !== 0 && leader !== id) this.#bePatient();
    store.watch(() => this.#look(), signal);
    try {
      for (;;) {
        this.#look();
        const state = this.#state;
        if (state.kind === "leading") {
          this.#ping(state.epoch);
          if (state.epoch === this.#doubtedEpoch) await this.#renew(state, signal);
        } else if (clock.monotonicMs() >= this.#standAtMs) await this.#stand(signal);
        await this.#wake.wait(this.#untilNextMs(), clock, signal);
      }
    } finally {
      this.#enter({ kind: "following" });
    }
  }

  /** Notices a newer epoch (L2); one that may be its own is for the claim to tell of. */
  #look(): void {
    if (this.#isClaiming) return;
    const { epoch } = this.#options.store.control().epoch;
    if (epoch <= this.#knownEpoch) return;
    this.#knownEpoch = epoch;
    this.#bePatient();
    this.#enter({ kind: "following" });
  }

  #ping(epoch: number): void {
    const { store, clock, id } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#pingedAtMs + PING_INTERVAL_MS) return;
    this.#pingedAtMs = nowMs;
    store.ping({ epoch, leader: id });
  }

  /** Until it is to ping, or to stand; patience that grows meanwhile is noticed then. */
  #untilNextMs(): number {
    const isLeading = this.#state.kind === "leading";
    const dueAtMs = isLeading ? this.#pingedAtMs + PING_INTERVAL_MS : this.#standAtMs;
    return Math.max(MIN_WAIT_MS, dueAtMs - this.#options.clock.monotonicMs());
  }

  async #claim(expected: number, signal: AbortSignal): Promise<ClaimOutcome> {
    const { store, id } = this.#options;
    this.#isClaiming = true;
    try {
      return await store.claimEpoch(id, expected, signal);
    } finally {
      this.#isClaiming = false;
    }
  }

  async #stand(signal: AbortSignal): Promise<void> {
    const { store, clock, random, onError } = this.#options;
    try {
      await store.catchUp(signal);
      this.#look();
      if (clock.monotonicMs() < this.#standAtMs) return;
      const confirmedAtMs = clock.monotonicMs();
      const outcome = await this.#claim(this.#knownEpoch, signal);
      this.#bePatient();
      if (outcome.kind === "conflict") return;
      const { epoch } = outcome;
      this.#knownEpoch = epoch;
      this.#enter({ kind: "leading", epoch, sinceMs: clock.monotonicMs(), confirmedAtMs });
    } catch (error) {
      this.#standAtMs = clock.monotonicMs() + RETRY_MS * (1 + random());
      if (!signal.aborted) onError(error);
    }
  }

  async #renew(state: Leading, signal: AbortSignal): Promise<void> {
    const { clock, onError } = this.#options;
    const confirmedAtMs = clock.monotonicMs();
    try {
      const outcome = await this.#claim(state.epoch, signal);
      if (outcome.kind === "written") {
        const { epoch } = outcome;
        this.#knownEpoch = epoch;
        this.#state = { ...state, epoch, confirmedAtMs };
      } else {
        this.#bePatient();
        this.#enter({ kind: "following" });
      }
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
  }

  /** Somebody leads, or is about to: waits for silence before standing. */
  #bePatient(): void {
    const { clock, random } = this.#options;
    this.#standAtMs = clock.monotonicMs() + TAKEOVER_MS + random() * TAKEOVER_JITTER_MS;
  }

  #confirmationAgeMs(): number {
    const state = this.#state;
    if (state.kind !== "leading") return Number.POSITIVE_INFINITY;
    return this.#options.clock.monotonicMs() - state.confirmedAtMs;
  }

  #enter(state: LeadershipState): void {
    if (state.kind === this.#state.kind) return;
    this.#state = state;
    this.#options.onChange(state);
  }
}
