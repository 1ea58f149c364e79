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
 */
import type { HostName, HostView } from "@evm/fleet";
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

  /** To be called several times a second: says that this process runs, and whether it can hear. */
  listen(nowMs: number, canHear: boolean): void {
    const wasPaused = this.#isPaused(nowMs);
    if (!canHear) this.#listeningSinceMs = undefined;
    else if (wasPaused) this.#listeningSinceMs = nowMs;
    this.#listenedAtMs = nowMs;
  }

  /** @param leadingSinceMs when this coordinator took over; undefined while it follows */
  of(host: HostName, nowMs: number, leadingSinceMs: number | undefined): HostView["liveness"] {
    const limitMs = this.#options.leaseMs + this.#options.marginMs;
    const heardAtMs = this.#heardAt.get(host);
    if (heardAtMs !== undefined && nowMs - heardAtMs <= limitMs) return "up";
    if (leadingSinceMs === undefined || this.#isPaused(nowMs)) return "unknown";
    if (nowMs - leadingSinceMs <= limitMs + FOOTING_MS) return "unknown";
    return nowMs - (this.#listeningSinceMs ?? nowMs) <= limitMs ? "unknown" : "lost";
  }

  /** Of half a lease: a shorter pause leaves time for the heartbeats that were sent meanwhile. */
  #isPaused(nowMs: number): boolean {
    const isLate = nowMs - this.#listenedAtMs > this.#options.leaseMs / 2;
    return isLate || this.#listeningSinceMs === undefined;
  }
}
