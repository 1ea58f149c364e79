/**
 * Which hosts are alive, judged by their heartbeats alone.
 *
 *  V1 A host is lost only once its lease has ended for certain. It runs for `leaseMs` from when the
 *     host sent the heartbeat that was answered; measured here from when that came in, which is
 *     later, it has ended once a margin for drift between two clocks has passed as well.
 *  V2 A new leader knows nothing of the promises made before it: the last of them was made within
 *     `FOOTING_MS` of its own election (L3), so it waits that much longer.
 *  V3 Silence counts only while it was listened to. Whoever was frozen, or cut off from the store,
 *     gives every host a lease's time to be heard again before it calls any of them lost.
 *  V4 A follower declares nothing lost.
 *
 * What follows for one host from how many others are silent is for the brake to say.
 */
import type { HostName, HostSign } from "@evm/fleet";
import { FOOTING_MS } from "./leadership.ts";

export type LivenessOptions = {
  readonly leaseMs: number;
  /** Added before a host counts as lost: for clocks that drift apart and for a late scheduler. */
  readonly marginMs: number;
};

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #heardAt = new Map<HostName, number>();
  /** Since when it listens without a pause; undefined while it is cut off. */
  #listeningSinceMs: number | undefined;
  #listenedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  get leaseMs(): number {
    return this.#options.leaseMs;
  }

  /** Notes a heartbeat that came in at `atMs` on the monotonic clock. */
  heard(host: HostName, atMs: number): void {
    this.#heardAt.set(host, atMs);
  }

  /** To be called many times in a lease: says that this process runs, and whether it can hear. */
  listen(nowMs: number, canHear: boolean): void {
    const wasPaused = this.#isPaused(nowMs);
    if (!canHear) this.#listeningSinceMs = undefined;
    else if (wasPaused) this.#listeningSinceMs = nowMs;
    this.#listenedAtMs = nowMs;
  }

  /** @param leadingSinceMs when this coordinator took over; undefined while it follows */
  of(host: HostName, nowMs: number, leadingSinceMs: number | undefined): HostSign {
    const { leaseMs, marginMs } = this.#options;
    const limitMs = leaseMs + marginMs;
    const heardAtMs = this.#heardAt.get(host) ?? Number.NEGATIVE_INFINITY;
    const listeningSinceMs = this.#isPaused(nowMs) ? nowMs : (this.#listeningSinceMs ?? nowMs);
    const silentMs = nowMs - Math.max(heardAtMs, listeningSinceMs);
    if (nowMs - heardAtMs <= limitMs) return silentMs > leaseMs / 2 ? "quiet" : "up";
    if (silentMs <= limitMs) return "unknown";
    const isSettledIn =
      leadingSinceMs !== undefined && nowMs - leadingSinceMs > limitMs + FOOTING_MS;
    return isSettledIn ? "lost" : "overdue";
  }

  /** Of half a lease: a shorter pause leaves time for the heartbeats that were sent meanwhile. */
  #isPaused(nowMs: number): boolean {
    const isLate = nowMs - this.#listenedAtMs > this.#options.leaseMs / 2;
    return isLate || this.#listeningSinceMs === undefined;
  }
}
