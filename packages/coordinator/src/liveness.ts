/**
 * Which hosts are alive, judged by their heartbeats alone.
 *
 * A host's lease runs for `leaseMs` from when it sent the heartbeat that was answered. Measured
 * here from when the heartbeat came in, which is later, the host has given up its lease for
 * certain once `leaseMs` plus a margin for drift between two clocks has passed. A new leader knows
 * nothing of the answers its predecessor gave until the moment it took over, so it counts from
 * there.
 */
import type { HostName, HostView } from "@evm/fleet";

export type LivenessOptions = {
  readonly leaseMs: number;
  /** Added before a host counts as lost: for clocks that drift apart and for a late scheduler. */
  readonly marginMs: number;
};

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #heardAt = new Map<HostName, number>();

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

  /**
   * @param leadingSinceMs when this coordinator took over; undefined while it follows: a follower
   *   declares nothing lost.
   */
  of(host: HostName, nowMs: number, leadingSinceMs: number | undefined): HostView["liveness"] {
    const limitMs = this.#options.leaseMs + this.#options.marginMs;
    const heardAtMs = this.#heardAt.get(host);
    if (heardAtMs !== undefined && nowMs - heardAtMs <= limitMs) return "up";
    if (leadingSinceMs === undefined || nowMs - leadingSinceMs <= limitMs) return "unknown";
    return "lost";
  }
}
