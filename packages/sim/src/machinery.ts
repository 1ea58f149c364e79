/**
 * What stands between a host's agent and its runtimes: where it hangs, lies or is late, and what
 * of that an agent may be excused for.
 */
import { DriverError, type DriverInstance } from "@evm/drivers";
import { type Digest, instanceName, isDigest, isFleetName, type TemplateKind } from "@evm/fleet";
import { keyOf } from "./oracles/truth.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Timeline } from "./timeline.ts";

/** How a driver's list differs from what there is. */
export type Lie =
  /** Leaves something out. */
  | "omits"
  /** Shows what nobody made. */
  | "invents"
  /** Shows what was there a while ago. */
  | "late";

/** A stop that is owed by the end of a lease has a second and a half beside its grace. */
const TIMELY_MS = 500;
const MAX_LATE_MS = 3_000;
/** How many calls to a runtime that hangs are lost. */
const LOST_RATE = 0.3;

export class Machinery {
  lie: Lie | undefined;
  /** Calls that wait while nothing is answered; undefined while everything is. */
  #hung: Set<() => void> | undefined;
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #onLie: () => void;
  /** Left out of a list at some time: what follows from that is the driver's fault. */
  readonly #omitted = new Set<string>();
  /** Calls that an agent relies on and that are under way, with when they are late; few. */
  readonly #pending: { readonly dueAtMs: number }[] = [];
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(timeline: Timeline, random: SeededRandom, onLie: () => void) {
    this.#timeline = timeline;
    this.#random = random;
    this.#onLie = onLie;
  }

  get isHung(): boolean {
    return this.#hung !== undefined;
  }

  /** From now on nothing is answered. */
  hang(): void {
    this.#hung ??= new Set();
  }

  /** What was asked meanwhile is carried out, or its connection is gone. */
  goOn(): void {
    const hung = this.#hung ?? [];
    this.#hung = undefined;
    for (const act of hung) act();
  }

  /** Waits until calls are answered. */
  async awake(signal: AbortSignal): Promise<void> {
    const hung = this.#hung;
    if (hung === undefined) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const act = () => {
      if (this.#random.chance(LOST_RATE)) reject(new DriverError("unavailable", "hung up"));
      else resolve();
    };
    const onAbort = () => reject(signal.reason);
    hung.add(act);
    signal.addEventListener("abort", onAbort, { once: true });
    await promise.finally(() => {
      hung.delete(act);
      signal.removeEventListener("abort", onAbort);
    });
  }

  /** True where the instance was once left out of a list. */
  hasLiedOf(instance: DriverInstance): boolean {
    return this.#omitted.has(keyOf(instance));
  }

  /** True where a call that an agent relies on failed or took too long since then. */
  hasFailedSince(sinceMs: number): boolean {
    if (this.#hung !== undefined || this.#failedAtMs >= sinceMs) return true;
    return this.#pending.some(({ dueAtMs }) => dueAtMs < this.#timeline.nowMs);
  }

  /** Makes a call that is to take no longer than what is allowed. */
  async timed<T>(allowedMs: number, call: () => Promise<T>): Promise<T> {
    const pending = { dueAtMs: this.#timeline.nowMs + allowedMs + TIMELY_MS };
    this.#pending.push(pending);
    try {
      const result = await call();
      if (this.#timeline.nowMs > pending.dueAtMs) this.#failedAtMs = this.#timeline.nowMs;
      return result;
    } catch (error) {
      this.#failedAtMs = this.#timeline.nowMs;
      throw error;
    } finally {
      this.#pending.splice(this.#pending.indexOf(pending), 1);
    }
  }

  /** What a driver lists, as it is told. */
  list(
    kind: TemplateKind,
    list: () => Promise<readonly DriverInstance[]>,
    signal: AbortSignal,
  ): Promise<readonly DriverInstance[]> {
    return this.lie === undefined ? list() : this.#lieOf(kind, list, signal);
  }

  async #lieOf(
    kind: TemplateKind,
    list: () => Promise<readonly DriverInstance[]>,
    signal: AbortSignal,
  ): Promise<readonly DriverInstance[]> {
    const instances = await list();
    switch (this.lie) {
      case undefined:
        return instances;
      case "omits": {
        const one = this.#random.pick(instances);
        if (one === undefined) return instances;
        this.#omitted.add(keyOf(one));
        this.#onLie();
        return instances.filter((other) => other !== one);
      }
      case "invents":
        return kind === "container" ? [...instances, ...GHOST] : instances;
      case "late":
        await this.#pause(this.#random.between(0, MAX_LATE_MS), signal);
        return instances;
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = this.#timeline.after(ms, resolve);
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }
}

/** Of a fleet that nobody declared. */
const GHOST: readonly DriverInstance[] = ["ghost"].filter(isFleetName).map((fleet) => ({
  name: instanceName(fleet, 0),
  incarnation: 1,
  fleet,
  index: 0,
  templateDigest: ghostDigest(),
  state: "running",
  exit: undefined,
  reason: undefined,
  startedAt: undefined,
  address: undefined,
}));

function ghostDigest(): Digest {
  const digest: string = `sha256:${"0".repeat(64)}`;
  if (!isDigest(digest)) throw new Error("a bad digest");
  return digest;
}
