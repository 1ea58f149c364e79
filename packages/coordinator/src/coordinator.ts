/**
 * One coordinator: follows or leads, hears the hosts, and while it leads plans and commits. It
 * keeps nothing that it could not read again, so it may be killed at any time.
 */
import type { Clock, HostName, HostView, Overcommit, Snapshot } from "@evm/fleet";
import { type CoordinatorStore, EventOutbox } from "@evm/store";
import { type Log, runTogether, Wake } from "@evm/telemetry";
import { Announcer } from "./announcer.ts";
import { instanceViews } from "./instances.ts";
import { Leadership, type LeadershipState } from "./leadership.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";
import { type CoordinatorMetrics, observeSnapshot } from "./metrics.ts";
import { Planner } from "./planner.ts";
import { takeSnapshot } from "./snapshot.ts";

/** A pass at least this often: liveness changes by the passing of time alone. */
const PASS_INTERVAL_MS = 500;
/** Many changes that come at once are planned as one. */
const PASS_GAP_MS = 20;
/** After a rejected commit or a store that is away, up to this much longer by chance. */
const RETRY_MS = 200;

export type CoordinatorOptions = {
  /** Unique in the cluster and the same after a restart: names the leader. */
  readonly id: string;
  readonly store: CoordinatorStore;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: CoordinatorMetrics;
  readonly lease: LivenessOptions;
  readonly overcommit: Overcommit;
};

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #wake = new Wake();
  readonly #leadership: Leadership;
  readonly #liveness: Liveness;
  readonly #planner: Planner;
  readonly #outbox: EventOutbox;
  readonly #announced = new Map<HostName, HostView["liveness"]>();
  readonly announcer: Announcer;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { id, store, clock, random, log, metrics } = options;
    this.#liveness = new Liveness(options.lease);
    this.#outbox = new EventOutbox({
      store,
      droppedEvent: (count) => ({
        at: clock.now(),
        source: `coordinator/${id}`,
        severity: "warning",
        reason: "EventsDropped",
        fleet: undefined,
        instance: undefined,
        host: undefined,
        text: `${count} events could not be kept while the store was away`,
      }),
      pause: (signal) => clock.sleep(RETRY_MS * (1 + random()), signal),
    });
    this.announcer = new Announcer({ id, clock, add: (event) => this.#outbox.add(event) });
    this.#planner = new Planner({ store, log, metrics, announcer: this.announcer });
    this.#leadership = new Leadership({
      id,
      store,
      clock,
      random,
      onChange: (state) => this.#leadershipChanged(state),
      onError: (error) => log.warn("could not stand for leader", { error }),
    });
  }

  get leadership(): LeadershipState {
    return this.#leadership.state;
  }

  /** What this coordinator would decide on now. */
  snapshot(): Snapshot {
    const { store, clock, overcommit } = this.#options;
    const nowMs = clock.monotonicMs();
    const state = this.#leadership.state;
    const leadingSinceMs = state.kind === "leading" ? state.sinceMs : undefined;
    const control = store.control();
    return takeSnapshot({
      epoch: state.kind === "leading" ? state.epoch : control.epoch.epoch,
      control,
      reports: store.reports(),
      livenessOf: (host) => this.#liveness.of(host, nowMs, leadingSinceMs),
      overcommit,
    });
  }

  /** Sentences on why what this coordinator says or does may not be what one expects. */
  doubts(): readonly string[] {
    const { store } = this.#options;
    const doubts: string[] = [];
    if (!store.isConnected) doubts.push("the store is away: what is said here may be old");
    if (store.control().epoch.epoch === 0) doubts.push("no coordinator leads: nothing is placed");
    return doubts;
  }

  /** Runs until the signal fires. Rejects for any other reason only by a defect. */
  async run(signal: AbortSignal): Promise<void> {
    const loops = [
      (end: AbortSignal) => this.#leadership.run(end),
      (end: AbortSignal) => this.#outbox.run(end),
      (end: AbortSignal) => this.#plan(end),
    ];
    await runTogether(loops, signal);
  }

  #listen(signal: AbortSignal): void {
    const { store, clock } = this.#options;
    store.onHeartbeat((heartbeat) => {
      this.#liveness.heard(heartbeat.host, clock.monotonicMs());
      const state = this.#leadership.state;
      if (state.kind !== "leading") return undefined;
      return { epoch: state.epoch, leaseMs: this.#liveness.leaseMs };
    }, signal);
    store.watch(() => this.#wake.wake(), signal);
  }

  async #plan(signal: AbortSignal): Promise<never> {
    const { clock, random, log } = this.#options;
    this.#listen(signal);
    for (;;) {
      await this.#wake.wait(PASS_INTERVAL_MS, clock, signal);
      try {
        const isSettled = await this.#pass(signal);
        if (!isSettled) await clock.sleep(RETRY_MS * random(), signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("a pass failed, trying again", { error });
        await clock.sleep(RETRY_MS * (1 + random()), signal);
      }
      await clock.sleep(PASS_GAP_MS, signal);
    }
  }

  /** False where the same should be tried again soon. */
  async #pass(signal: AbortSignal): Promise<boolean> {
    const { store, metrics } = this.#options;
    const control = store.control();
    const snapshot = this.snapshot();
    observeSnapshot(metrics, snapshot, instanceViews(snapshot));
    if (this.#leadership.state.kind !== "leading") return true;
    this.#announceLiveness(snapshot);
    const outcome = await this.#planner.pass(snapshot, control, signal);
    if (outcome.kind === "committed") this.#wake.wake();
    return outcome.kind !== "rejected";
  }

  #announceLiveness(snapshot: Snapshot): void {
    for (const { name, liveness } of snapshot.hosts) {
      const before = this.#announced.get(name);
      if (liveness === "unknown" || before === liveness) continue;
      this.#announced.set(name, liveness);
      if (before !== undefined || liveness === "lost") this.announcer.liveness(name, liveness);
    }
  }

  #leadershipChanged(state: LeadershipState): void {
    const { id, log, metrics } = this.#options;
    metrics.isLeader.set(state.kind === "leading" ? 1 : 0);
    if (state.kind === "leading") {
      log.info("leading", { epoch: state.epoch });
      this.announcer.say("info", "LeaderElected", `${id} leads with epoch ${state.epoch}`);
    } else {
      log.info("following");
    }
    this.#wake.wake();
  }
}
