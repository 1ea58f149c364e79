/**
 * One coordinator: follows or leads, hears the hosts, and while it leads plans and commits. It
 * keeps nothing that it could not read again, so it may be killed at any time.
 */
import {
  type AppliedBy,
  type Clock,
  describeRival,
  type Heartbeat,
  type HostName,
  isAhead,
  isSame,
  type Overcommit,
  type Recall,
} from "@evm/fleet";
import { type CoordinatorStore, EventOutbox } from "@evm/store";
import { type Log, runTogether, Wake } from "@evm/telemetry";
import { Announcer } from "./announcer.ts";
import { HostNews } from "./host-news.ts";
import { Leadership, type LeadershipState } from "./leadership.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";
import { describeMemory, MemoryWatch } from "./memory-watch.ts";
import {
  type CoordinatorMetrics,
  countsTheSame,
  forgetPicture,
  observePicture,
} from "./metrics.ts";
import { Namesakes } from "./namesakes.ts";
import { Camera, type Picture } from "./picture.ts";
import { isConclusive, Planner } from "./planner.ts";
import { Succession } from "./succeeded.ts";

/** A pass so often in a lease at least: liveness changes by the passing of time alone. */
const PASSES_PER_LEASE = 12;
/** A leader has to ask the store as often whether it leads. */
const MAX_PASS_INTERVAL_MS = 500;
/** Many changes that come at once are planned as one. */
const PASS_GAP_MS = 20;
/** How often in a lease it is noted that heartbeats can be heard. */
const LISTENS_PER_LEASE = 24;
/** Nobody reads the gauges more often, and they take a look at every instance. */
const OBSERVE_INTERVAL_MS = 1_000;
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
  /** So great a share of all instances may be on its way out at once. */
  readonly waveShare: number;
  /** Where more hosts than this share fall silent at once, none of them is called lost. */
  readonly maxLostShare: number;
};

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #wake = new Wake();
  readonly #leadership: Leadership;
  readonly #liveness: Liveness;
  readonly #namesakes: Namesakes;
  readonly #succession = new Succession();
  readonly #camera = new Camera();
  readonly #planner: Planner;
  readonly #outbox: EventOutbox;
  readonly #memory: MemoryWatch;
  /** Which orders each host goes by, as last heard; replaced whenever that changes. */
  #heartbeats: ReadonlyMap<HostName, AppliedBy> = new Map();
  readonly #hostNews: HostNews;
  /** What the metrics tell of, and when that was last looked at. */
  #observed: { readonly picture: Picture; readonly atMs: number } | undefined;
  /**
   * Hosts that were taken for lost by any pass since the last of which it is known what it wrote:
   * nothing is promised to them meanwhile, though they may be back.
   */
  #writtenOff: ReadonlySet<HostName> = new Set();
  /** Who forgot what it ordered promises nothing: it does not know what runs elsewhere. */
  #isForgetful = false;
  readonly announcer: Announcer;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { id, store, clock, random, log, metrics } = options;
    this.#liveness = new Liveness(options.lease);
    this.#namesakes = new Namesakes(options.lease);
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
    this.#memory = new MemoryWatch({ announcer: this.announcer, metrics });
    this.#hostNews = new HostNews(this.announcer);
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

  /** What this coordinator knows and would decide now. */
  picture(): Picture {
    const { store, clock, overcommit, waveShare, maxLostShare } = this.#options;
    const nowMs = clock.monotonicMs();
    const state = this.#leadership.state;
    const leadingSinceMs = state.kind === "leading" ? state.sinceMs : undefined;
    const control = store.control();
    return this.#camera.take({
      epoch: state.kind === "leading" ? state.epoch : control.epoch.epoch,
      control,
      reports: store.reports(),
      heartbeats: this.#heartbeats,
      rivals: this.#namesakes.rivals(nowMs),
      signOf: (host) => this.#liveness.of(host, nowMs, leadingSinceMs),
      overcommit,
      waveShare,
      maxLostShare,
    });
  }

  /** Whether the control state remembers what hosts were ordered; only what has lasted. */
  get memory(): Recall {
    return this.#memory.settled;
  }

  /** Sentences on why what this coordinator says or does may not be what one expects. */
  doubts(): readonly string[] {
    const { store } = this.#options;
    const doubts: string[] = [];
    if (!store.isConnected) doubts.push("the store is away: what is said here may be old");
    if (store.control().epoch.epoch === 0) doubts.push("no coordinator leads: nothing is placed");
    const trouble = describeMemory(this.memory);
    if (trouble !== undefined) doubts.push(trouble);
    doubts.push(...this.picture().snapshot.hosts.flatMap((host) => describeRival(host) ?? []));
    return doubts;
  }

  /** Runs until the signal fires. Rejects for any other reason only by a defect. */
  async run(signal: AbortSignal): Promise<void> {
    const loops = [
      (end: AbortSignal) => this.#leadership.run(end),
      (end: AbortSignal) => this.#outbox.run(end),
      (end: AbortSignal) => this.#listen(end),
      (end: AbortSignal) => this.#plan(end),
    ];
    await runTogether(loops, signal);
  }

  /** Answers heartbeats, and keeps track of whether they can be heard. */
  async #listen(signal: AbortSignal): Promise<never> {
    const { store, clock } = this.#options;
    store.onHeartbeat((heartbeat) => {
      const { host } = heartbeat;
      const nowMs = clock.monotonicMs();
      const control = store.control();
      const known = control.orders.get(host)?.value;
      if (!this.#namesakes.isHost(heartbeat, known, nowMs)) return undefined;
      this.#liveness.heard(host, nowMs);
      this.#noteApplied(heartbeat);
      const { state, hasFooting } = this.#leadership;
      if (state.kind !== "leading" || !hasFooting) return undefined;
      // Who has just claimed the epoch may not see yet what was committed before (P4).
      if (control.epoch.epoch !== state.epoch) return undefined;
      if (this.#isForgetful || isAhead(heartbeat, known)) return undefined;
      const isSucceeded = () => this.#succession.isSucceeded(heartbeat, control);
      if (this.#writtenOff.has(host) || isSucceeded()) return undefined;
      return { epoch: state.epoch, leaseMs: this.#liveness.leaseMs };
    }, signal);
    const intervalMs = this.#liveness.leaseMs / LISTENS_PER_LEASE;
    for (;;) {
      const { state, hasFooting } = this.#leadership;
      const canHear = store.isConnected && (state.kind === "following" || hasFooting);
      this.#liveness.listen(clock.monotonicMs(), canHear);
      await clock.sleep(intervalMs, signal);
    }
  }

  #noteApplied({ host, ...applied }: Heartbeat): void {
    if (isSame(this.#heartbeats.get(host), applied)) return;
    this.#heartbeats = new Map(this.#heartbeats).set(host, applied);
    if (this.leadership.kind === "leading") this.#wake.wake();
  }

  async #plan(signal: AbortSignal): Promise<never> {
    const { store, clock, random, log } = this.#options;
    // Who follows decides nothing: it only looks now and then.
    store.watch(() => {
      if (this.leadership.kind === "leading") this.#wake.wake();
    }, signal);
    for (;;) {
      await this.#wake.wait(this.#passIntervalMs(), clock, signal, PASS_GAP_MS);
      try {
        const isSettled = await this.#pass(signal);
        if (!isSettled) await clock.sleep(RETRY_MS * random(), signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("a pass failed, trying again", { error });
        await clock.sleep(RETRY_MS * (1 + random()), signal);
      }
    }
  }

  #passIntervalMs(): number {
    const ms = this.#liveness.leaseMs / PASSES_PER_LEASE;
    return this.leadership.kind === "leading" ? Math.min(ms, MAX_PASS_INTERVAL_MS) : ms;
  }

  /** False where the same should be tried again soon. */
  async #pass(signal: AbortSignal): Promise<boolean> {
    const { clock, metrics } = this.#options;
    const { state } = this.#leadership;
    const picture = this.picture();
    metrics.epoch.set(picture.snapshot.epoch);
    metrics.queuedEvents.set(this.#outbox.length);
    const { memory } = picture;
    this.#memory.look(memory, clock.monotonicMs(), state.kind === "leading");
    this.#isForgetful = memory.kind === "lost";
    if (state.kind !== "leading") return true;
    this.#observe(picture);
    this.#hostNews.observe(picture.snapshot);
    const askedAtMs = clock.monotonicMs();
    const lost = picture.snapshot.hosts
      .filter(({ liveness, successor }) => liveness === "lost" || successor !== undefined)
      .map(({ name }) => name);
    this.#writtenOff = new Set([...this.#writtenOff, ...lost]);
    const outcome = await this.#planner.pass(picture, signal);
    if (isConclusive(outcome)) this.#writtenOff = new Set(lost);
    if (outcome.kind === "committed") {
      this.#leadership.confirmed(state.epoch, askedAtMs);
      this.#wake.wake();
    } else if (outcome.kind === "uncertain") {
      this.#leadership.doubt(state.epoch);
    } else if (this.#leadership.isToBeConfirmed) {
      await this.#confirm(state.epoch, signal);
    }
    return outcome.kind !== "rejected";
  }

  /** Sets the gauges, where there is news. */
  #observe(picture: Picture): void {
    const { clock, metrics } = this.#options;
    const nowMs = clock.monotonicMs();
    const last = this.#observed;
    if (last !== undefined && nowMs < last.atMs + OBSERVE_INTERVAL_MS) return;
    const isNews = last === undefined || !countsTheSame(picture, last.picture);
    this.#observed = { picture, atMs: nowMs };
    if (!isNews) return;
    observePicture(metrics, picture);
  }

  /** Asks the store whether this epoch is the newest (L3): a commit of nothing but the fence. */
  async #confirm(epoch: number, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const outcome = await store.commit(
      { epoch, orders: [], fleets: [], forgottenFleets: [] },
      signal,
    );
    if (outcome.kind === "committed") this.#leadership.confirmed(epoch, askedAtMs);
  }

  #leadershipChanged(state: LeadershipState): void {
    const { id, log, metrics } = this.#options;
    metrics.isLeader.set(state.kind === "leading" ? 1 : 0);
    if (state.kind === "leading") {
      log.info("leading", { epoch: state.epoch });
      this.announcer.say("info", "LeaderElected", `${id} leads with epoch ${state.epoch}`);
    } else {
      log.info("following");
      this.#hostNews.stop();
      forgetPicture(metrics);
      this.#observed = undefined;
    }
    this.#wake.wake();
  }
}
