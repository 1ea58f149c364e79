/**
 * The leader's promise that nobody else is ordered to run this host's instances, as the host sees
 * it: asked for again and again, counted on the monotonic clock from when it was asked for.
 *
 * It matters only to fleets with `onIsolation: stop`: their instances are started only while the
 * lease is held, and stopped before it ends, while the coordinator waits for its end and a margin
 * before it orders them elsewhere (I2). The bound: a clock that drifts by less than
 * `MAX_CLOCK_DRIFT`, and an agent that runs. A frozen agent stops nothing: only a watchdog outside
 * of it could.
 *
 * An agent that has just started does not know when the last lease was granted, only how long it
 * was: that is kept on disk. It adopts what runs for so long at the most, and starts nothing on
 * that account. So where it restarts while it is cut off, I2 holds but for the time that it was
 * down.
 */
import type { AgentId, Applied, Clock } from "@evm/fleet";
import type { HostStore } from "@evm/store";
import { type Log, withDeadline } from "@evm/telemetry";
import { z } from "zod";
import type { StateDir } from "./state-dir.ts";

const FILE = "lease.json";
const fileSchema = z.object({ leaseMs: z.number().positive() });

/** Until there is an answer, and at least between any two heartbeats. */
const HEARTBEAT_MS = 1_000;
/** Such a share of a lease after it was granted the next is sent: several may be lost. */
const HEARTBEAT_SHARE = 1 / 6;
/** An answer takes milliseconds; a late one is as good as none, the next heartbeat is due. */
const ANSWER_TIMEOUT_MS = 900;
/** What two quartz clocks differ by at most, with a factor of ten to spare. */
const MAX_CLOCK_DRIFT = 0.001;
/**
 * So long before the end instances are stopped: time to list them (milliseconds), for
 * `ISOLATION_GRACE_MS` to end by themselves, and to end them by force.
 */
const STOP_MARGIN_MS = 2_500;
/** How long an instance may take to end by itself when the lease runs out. */
export const ISOLATION_GRACE_MS = 1_000;

/** What coordinators grant unless they are told otherwise: for an agent that never got a lease. */
const ASSUMED_LEASE_MS = 6_000;

/**
 * `assumed`: none was granted since this agent started, but an earlier run of it may have got one.
 * `ending`: too late to rely on it.
 */
export type LeaseState = "assumed" | "held" | "ending";

export type LeaseOptions = {
  readonly id: AgentId;
  readonly store: Pick<HostStore, "host" | "heartbeat">;
  readonly stateDir: StateDir;
  readonly clock: Clock;
  readonly log: Log;
  /** The orders last applied: part of the heartbeat. */
  readonly applied: () => Applied;
  /** Called when the lease is gained or regained. */
  readonly onGained: () => void;
};

export class Lease {
  readonly #options: LeaseOptions;
  #isGranted = false;
  /** As it is on disk; undefined where it is not. */
  #keptMs: number | undefined;
  /** The write that is under way; it does not reject. */
  #keeping: Promise<void> | undefined;
  /** When it can no longer be relied on, on the monotonic clock. */
  #usableUntilMs: number;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#usableUntilMs = usableUntilMs(options.clock.monotonicMs(), ASSUMED_LEASE_MS);
  }

  get state(): LeaseState {
    if (this.#options.clock.monotonicMs() >= this.#usableUntilMs) return "ending";
    return this.#isGranted ? "held" : "assumed";
  }

  /**
   * How long until it ends if nobody renews it, in milliseconds; 0 where it has since. Whoever
   * knows that it ends waits for no other end.
   *
   * @param seen the state in which it was last seen
   */
  untilEnding(seen: LeaseState): number {
    if (seen === "ending") return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#usableUntilMs - this.#options.clock.monotonicMs());
  }

  /** Takes up how long the lease of an earlier run of the agent was. */
  async load(): Promise<void> {
    const { stateDir, clock, log } = this.#options;
    const content = await stateDir.read(FILE);
    if (content === undefined) return;
    try {
      const { leaseMs } = fileSchema.parse(JSON.parse(new TextDecoder().decode(content)));
      this.#keptMs = leaseMs;
      this.#usableUntilMs = usableUntilMs(clock.monotonicMs(), leaseMs);
    } catch (error) {
      const aside = await stateDir.setAside(FILE);
      log.error("the last lease cannot be read; the usual one is assumed", { aside, error });
    }
  }

  /** Sends heartbeats until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const sentAtMs = clock.monotonicMs();
      const leaseMs = (await this.#beat(sentAtMs, signal)) ?? 0;
      const pauseMs = Math.max(HEARTBEAT_MS, leaseMs * HEARTBEAT_SHARE);
      await clock.sleep(sentAtMs + pauseMs - clock.monotonicMs(), signal);
    }
  }

  /** @returns how long a lease it was granted, in milliseconds; undefined where it was not */
  async #beat(sentAtMs: number, signal: AbortSignal): Promise<number | undefined> {
    const { id, store, clock, log, applied, onGained } = this.#options;
    const { epoch, generation } = applied();
    const heartbeat = { host: store.host, agent: id, epoch, generation };
    const deadline = { clock, ms: ANSWER_TIMEOUT_MS, signal, doing: "sending a heartbeat" };
    try {
      const grant = await withDeadline(deadline, (limited) => store.heartbeat(heartbeat, limited));
      if (grant === undefined) return undefined;
      const before = this.state;
      this.#isGranted = true;
      this.#usableUntilMs = usableUntilMs(sentAtMs, grant.leaseMs);
      if (before !== "held" && this.state === "held") {
        log.info("the lease is held", { epoch: grant.epoch, leaseMs: grant.leaseMs });
        onGained();
      }
      // Beside the heartbeats: a disk that hangs must not cost the lease.
      if (grant.leaseMs !== this.#keptMs) this.#keeping ??= this.#keep(grant.leaseMs);
      return grant.leaseMs;
    } catch (error) {
      signal.throwIfAborted();
      log.debug("no answer to a heartbeat", { state: this.state, error });
      return undefined;
    }
  }

  /** What cannot be kept is tried again with the next answer; the lease holds all the same. */
  async #keep(leaseMs: number): Promise<void> {
    const { stateDir, log } = this.#options;
    try {
      await stateDir.write(FILE, Buffer.from(JSON.stringify({ leaseMs })));
      this.#keptMs = leaseMs;
    } catch (error) {
      log.debug("the length of the lease cannot be kept", { leaseMs, error });
    } finally {
      this.#keeping = undefined;
    }
  }
}

const usableUntilMs = (sentAtMs: number, leaseMs: number): number =>
  sentAtMs + leaseMs * (1 - MAX_CLOCK_DRIFT) - STOP_MARGIN_MS;
