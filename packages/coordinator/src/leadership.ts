/**
 * Which coordinator leads. The epoch key, taken by compare-and-set, says so; pings over the bus
 * only save needless elections, and the fence in every commit gives the safety: a leader that
 * froze and wakes cannot write, whatever it believes.
 *
 *  L1 A coordinator acts as leader only with an epoch that it wrote itself in this life.
 *  L2 It stops as soon as it sees a newer epoch.
 */
import type { Clock } from "@evm/fleet";
import type { CoordinatorStore } from "@evm/store";

/** How often the leader pings. */
export const PING_INTERVAL_MS = 300;
/** So long without a ping and a follower stands for leader: five lost pings in a row. */
export const TAKEOVER_MS = 1_500;
/** Followers wait up to this much longer, each by chance, so that one of them is first. */
const TAKEOVER_JITTER_MS = 300;
/** How often the state is looked at. */
const LOOK_INTERVAL_MS = 50;

export type LeadershipState =
  | { readonly kind: "following" }
  | { readonly kind: "leading"; readonly epoch: number; readonly sinceMs: number };

export type LeadershipOptions = {
  readonly id: string;
  readonly store: CoordinatorStore;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Told of every change. */
  readonly onChange: (state: LeadershipState) => void;
  /** Told of claims that failed for another reason than losing: the store is away. */
  readonly onError: (error: unknown) => void;
};

export class Leadership {
  readonly #options: LeadershipOptions;
  #state: LeadershipState = { kind: "following" };
  #knownEpoch = 0;
  #heardAtMs: number;
  #pingedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonicMs();
  }

  get state(): LeadershipState {
    return this.#state;
  }

  /** Follows, stands, leads and steps down; rejects with the signal's reason when that fires. */
  async run(signal: AbortSignal): Promise<never> {
    const { store, clock } = this.#options;
    store.onPing((ping) => {
      if (ping.epoch >= this.#knownEpoch) this.#heardAtMs = clock.monotonicMs();
    }, signal);
    try {
      for (;;) {
        this.#look();
        if (this.#state.kind === "leading") this.#ping(this.#state.epoch);
        else if (this.#mayStand()) await this.#stand(signal);
        await clock.sleep(LOOK_INTERVAL_MS, signal);
      }
    } finally {
      this.#enter({ kind: "following" });
    }
  }

  /** Notices a newer epoch (L2). */
  #look(): void {
    const { epoch } = this.#options.store.control().epoch;
    if (epoch <= this.#knownEpoch) return;
    this.#knownEpoch = epoch;
    this.#heardAtMs = this.#options.clock.monotonicMs();
    if (this.#state.kind === "leading" && this.#state.epoch < epoch) {
      this.#enter({ kind: "following" });
    }
  }

  #ping(epoch: number): void {
    const { store, clock, id } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#pingedAtMs < PING_INTERVAL_MS) return;
    this.#pingedAtMs = nowMs;
    store.ping({ epoch, leader: id });
  }

  /** True where nobody leads, this coordinator led in an earlier life, or the leader is silent. */
  #mayStand(): boolean {
    const { store, clock, id, random } = this.#options;
    const { epoch, leader } = store.control().epoch;
    if (epoch === 0 || leader === id) return true;
    const silentMs = clock.monotonicMs() - this.#heardAtMs;
    return silentMs > TAKEOVER_MS + random() * TAKEOVER_JITTER_MS;
  }

  async #stand(signal: AbortSignal): Promise<void> {
    const { store, clock, id, onError } = this.#options;
    try {
      const outcome = await store.claimEpoch(id, this.#knownEpoch, signal);
      this.#heardAtMs = clock.monotonicMs();
      if (outcome.kind === "conflict") return;
      this.#knownEpoch = outcome.revision;
      this.#enter({ kind: "leading", epoch: outcome.revision, sinceMs: clock.monotonicMs() });
    } catch (error) {
      this.#heardAtMs = clock.monotonicMs();
      if (!signal.aborted) onError(error);
    }
  }

  #enter(state: LeadershipState): void {
    if (state.kind === this.#state.kind) return;
    this.#state = state;
    this.#options.onChange(state);
  }
}
