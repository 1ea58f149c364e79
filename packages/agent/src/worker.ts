/**
 * The work of the agent: one pass looks at the whole of what is ordered and the whole of what
 * exists, and begins the next step of each instance. A pass only computes; listing and doing go on
 * beside it.
 *
 *  W1 An instance is acted on only with a listing that succeeded and was begun after its last step
 *     had ended.
 *  W2 Whatever changes wakes the worker; it also looks by itself, every `POLL_MS` while anything is
 *     under way. Where nothing that a pass goes by has changed, it comes to the same, and is not
 *     made.
 *  W3 A fleet with `onIsolation: stop` is started only under a lease, and stopped before it ends,
 *     as far as its driver answers. What the agent finds running when it starts counts as under
 *     one, for one lease at the most.
 */
import {
  type Clock,
  converge,
  type History,
  type Instant,
  isolated,
  type Observed,
  type OrderedInstance,
  type Orders,
  type Step,
  type TemplateKind,
} from "@evm/fleet";
import { type Health, type Log, Wake } from "@evm/telemetry";
import { frozenNames, type Outdated, unseen } from "./frozen.ts";
import type { HistoryKeeper } from "./history.ts";
import { stopsInIsolation, WITHOUT_LEASE, waitingForLease } from "./isolation.ts";
import { isDoomed, UNTIL_KEPT } from "./kept.ts";
import { ISOLATION_GRACE_MS, type Lease } from "./lease.ts";
import type { Lister, Listing } from "./lister.ts";
import type { AgentMetrics } from "./metrics.ts";
import { observe } from "./observe.ts";
import { shownOf } from "./shown.ts";
import type { Held, Hold, StepRunner } from "./steps.ts";
import { keyOf, type Subject, TASK_KINDS, type Task, type Tasks } from "./tasks.ts";

const POLL_MS = 5_000;
/** Where all is settled: listers poll, and wake it where they find that it is not. */
const SETTLED_POLL_MS = 15_000;
/** Spreads what waits for the same moment, as a share of the wait. */
const JITTER = 0.1;
/** Wake-ups come in bursts; one pass answers all that come within this time. */
const MIN_INTERVAL_MS = 10;
/** A guest not ready by then holds no slot any more: it must not keep all others waiting. */
const MAX_BOOT_MS = 120_000;
/** So long without a pass, the agent does not work. */
const MAX_PASS_AGE_MS = 6 * POLL_MS;

export type WorkerOptions = {
  readonly orders: () => Orders | undefined;
  /** Those on disk. */
  readonly kept: () => Orders | undefined;
  readonly lease: Lease;
  readonly listers: ReadonlyMap<TemplateKind, Lister>;
  readonly tasks: Tasks;
  readonly history: HistoryKeeper;
  readonly steps: StepRunner;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  /** Given everything on the host after every pass, as soon as every driver was asked once. */
  readonly onPass: (shown: ReadonlyMap<string, Observed>) => void;
};

type Listings = ReadonlyMap<TemplateKind, Listing>;

type Settled = {
  readonly orders: Orders | undefined;
  readonly listings: Listings;
  readonly records: History;
};

export class Worker {
  readonly #options: WorkerOptions;
  readonly #wake = new Wake();
  readonly #outdated = new Map<string, Outdated>();
  #observed: ReadonlyMap<string, Observed> = new Map();
  #shown: ReadonlyMap<string, Observed> = new Map();
  #held: readonly Held[] = [];
  #lastLease: Lease["state"] = "assumed";
  /** What the last pass went by, where it left nothing under way or waiting. */
  #settled: Settled | undefined;
  #passedAtMs: number;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#passedAtMs = options.clock.monotonicMs();
  }

  get health(): Health {
    const ageMs = this.#options.clock.monotonicMs() - this.#passedAtMs;
    if (ageMs <= MAX_PASS_AGE_MS) return { ok: true };
    return { ok: false, reason: `the last pass was ${Math.round(ageMs / 1000)} s ago` };
  }

  /** A driver was listed. */
  listed(): void {
    if (!this.#isSettled()) this.wake();
  }

  /** Makes a pass soon. */
  wake(): void {
    this.#wake.wake();
  }

  /** A step ended: what its driver listed before says nothing about its instance (W1). */
  taskEnded(task: Task, isDone: boolean): void {
    const lister = this.#options.listers.get(task.subject.kind);
    if (lister === undefined) return;
    this.#outdated.set(keyOf(task.subject), { task, isDone, listing: lister.begun });
    lister.refresh();
    this.wake();
  }

  /** Makes passes until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#options;
    while (!signal.aborted) {
      const begunMs = clock.monotonicMs();
      const nextMs = this.#isSettled() ? this.#untilEnding(SETTLED_POLL_MS) : this.#pass();
      this.#passedAtMs = clock.monotonicMs();
      metrics.pass.observe((this.#passedAtMs - begunMs) / 1000);
      await this.#wake.wait(nextMs, clock, signal, MIN_INTERVAL_MS);
    }
  }

  /** True where the last pass left nothing under way or waiting, and nothing has changed since. */
  #isSettled(): boolean {
    const { orders, lease, listers, history } = this.#options;
    const last = this.#settled;
    if (last === undefined || this.#outdated.size > 0) return false;
    if (last.orders !== orders() || last.records !== history.records) return false;
    if (this.#lastLease !== lease.state) return false;
    return [...listers].every(([kind, { latest }]) => {
      const before = last.listings.get(kind);
      return before?.instances === latest.instances && before.problem === latest.problem;
    });
  }

  /** @returns after how long to look again */
  #pass(): number {
    const { clock, listers, tasks, onPass } = this.#options;
    const { failures } = this.#options.steps;
    const now = clock.now();
    const listings = new Map([...listers].map(([kind, lister]) => [kind, lister.latest]));
    const orders = this.#ordersUnderLease();
    this.#dropOutdated(listings);
    const outdated = [...this.#outdated.values()];
    this.#observed = this.#observe(listings, outdated, now);
    for (const [key, { phase }] of this.#observed) {
      if (phase === "running" || phase === "ready") failures.overcome(key);
    }
    const frozen = frozenNames({ listings, orders, observed: this.#observed.values(), outdated });
    const steps = this.#decide(orders, frozen, now);
    const blind =
      orders === undefined ? [] : unseen(orders, listings, (key) => this.#observed.has(key));
    const frozenHeld = [...this.#frozenHeld(frozen), ...blind];
    const begunBefore = tasks.all().length;
    const held = [...frozenHeld, ...this.#begin(steps, orders), ...this.#waitingForLease(steps)];
    this.#held = held;
    // What was begun shows so at once: for a moment it would seem to be stopped.
    const hasBegun = tasks.all().length > begunBefore;
    if (hasBegun) this.#observed = this.#observe(listings, outdated, now);
    const previous = this.#shown;
    this.#shown = shownOf({ observed: this.#observed, held, previous, now });
    const wasAllListed = [...listings.values()].every((listing) => listing.number > 0);
    if (wasAllListed) onPass(this.#shown);
    if (frozen.size === 0 && orders !== undefined) this.#forget(orders);
    this.#count(held);
    const isAtRest = wasAllListed && held.length === 0 && tasks.all().length === 0;
    const records = this.#options.history.records;
    this.#settled = isAtRest ? { orders: this.#options.orders(), listings, records } : undefined;
    return this.#untilNext(held, now);
  }

  #decide(orders: Orders | undefined, frozen: ReadonlySet<string>, now: Instant): readonly Step[] {
    const instances = orders?.instances.filter((one) => !frozen.has(one.name)) ?? [];
    return converge({
      orders: orders && { ...orders, instances },
      observed: [...this.#observed.values()].filter((one) => !frozen.has(one.name)),
      history: this.#options.history.records,
      now,
    });
  }

  /** The orders in force, or what is left of them without the lease (W3). */
  #ordersUnderLease(): Orders | undefined {
    const { lease, tasks, log } = this.#options;
    const orders = this.#options.orders();
    const before = this.#lastLease;
    this.#lastLease = lease.state;
    if (orders === undefined || this.#lastLease !== "ending") return orders;
    if (before !== "ending") {
      log.warn("the lease ends: what is not to run in isolation is stopped");
      // A stop that takes its time is begun anew, with the time that is left.
      for (const { kind, subject } of tasks.all()) {
        const isSlow = kind === "stop" && stopsInIsolation(orders, subject);
        if (isSlow) tasks.cancel(subject, "the lease ends");
      }
    }
    return isolated(orders);
  }

  /** Drops the steps of which a listing has shown what came of them (W1), and judges them by it. */
  #dropOutdated(listings: Listings): void {
    for (const [key, { task, isDone, listing }] of this.#outdated) {
      const latest = listings.get(task.subject.kind);
      if (latest === undefined || latest.problem !== undefined || latest.number <= listing)
        continue;
      this.#outdated.delete(key);
      const shown = latest.instances.find((one) => keyOf(one) === key);
      if (isDone) this.#options.steps.judge(task, shown);
    }
  }

  #observe(
    listings: Listings,
    outdated: readonly Outdated[],
    now: Instant,
  ): ReadonlyMap<string, Observed> {
    const { tasks, history, steps } = this.#options;
    return observe({
      listings,
      // A step counts as going on until a listing shows what came of it.
      tasks: [...outdated.map(({ task }) => task), ...tasks.all()],
      recordOf: (key) => history.records.get(key),
      restartsOf: (key) => history.restartsOf(key),
      failureOf: (key) => steps.failures.of(key)?.reason,
      previous: this.#observed,
      now,
    });
  }

  /** What is frozen waits on as it did before: its phase must not change for want of a look. */
  #frozenHeld(frozen: ReadonlySet<string>): readonly Held[] {
    return this.#held.flatMap(({ subject, hold }) => {
      const key = keyOf(subject);
      if (!frozen.has(subject.name) || this.#outdated.has(key)) return [];
      const reason = this.#observed.get(key)?.reason ?? hold.reason;
      return [{ subject, hold: { ...hold, reason, until: undefined } }];
    });
  }

  /** Begins every step that can be begun; returns the others. */
  #begin(steps: readonly Step[], orders: Orders | undefined): readonly Held[] {
    const booting = this.#booting();
    const held: Held[] = [];
    for (const step of steps) {
      const subject = this.#subjectOf(step);
      const isIsolable = orders !== undefined && stopsInIsolation(orders, subject);
      const hold =
        this.#withoutLease(step, isIsolable) ??
        this.#untilKept(step) ??
        this.#options.steps.begin(step, subject, {
          booting: booting.get(subject.kind) ?? 0,
          graceMs: isIsolable && this.#lastLease === "ending" ? ISOLATION_GRACE_MS : undefined,
        });
      if (hold !== undefined) held.push({ subject, hold });
    }
    return held;
  }

  /** What it is about: something that exists, or is ordered. */
  #subjectOf(step: Pick<Step, "name" | "incarnation" | "driver">): Subject {
    const key = keyOf(step);
    const isIt = (one: OrderedInstance) => keyOf(one) === key;
    const it = this.#observed.get(key) ?? this.#options.orders()?.instances.find(isIt);
    if (it === undefined) throw new Error(`a step of ${key}: it is neither there nor ordered`);
    const { name, incarnation, fleet, index, template } = it;
    return { name, incarnation, fleet, index, template, kind: step.driver };
  }

  /** What the end of the lease keeps from running (W3). */
  #waitingForLease(steps: readonly Step[]): readonly Held[] {
    const { orders, tasks } = this.#options;
    const current = orders();
    if (current === undefined || this.#lastLease !== "ending") return [];
    const busy = new Set([...steps, ...tasks.all().map(({ subject }) => subject)].map(keyOf));
    const waiting = waitingForLease(current, (key) => busy.has(key));
    return waiting.map((subject) => ({ subject, hold: WITHOUT_LEASE }));
  }

  #withoutLease(step: Step, isIsolable: boolean): Hold | undefined {
    const isStart = step.kind === "prepare" || step.kind === "start";
    if (!isStart || !isIsolable || this.#lastLease === "held") return undefined;
    return WITHOUT_LEASE;
  }

  #untilKept(step: Step): Hold | undefined {
    const { orders, kept } = this.#options;
    // Nearly always they are the same; then a thousand steps need not look through as many orders.
    if (step.kind !== "prepare" || kept() === orders()) return undefined;
    return isDoomed(kept(), step) ? UNTIL_KEPT : undefined;
  }

  /** How many instances of each driver still hold the slot of their start. */
  #booting(): ReadonlyMap<TemplateKind, number> {
    const now = this.#options.clock.now();
    const isRecent = (at: Instant) => at > now - MAX_BOOT_MS && at <= now;
    const counts = new Map<TemplateKind, number>();
    const count = (kind: TemplateKind) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [key, { kind, phase, since: runningSince }] of this.#observed) {
      const isBooting = phase === "running" && isRecent(runningSince);
      if (isBooting && !this.#outdated.has(key)) count(kind);
    }
    for (const { task } of this.#outdated.values()) {
      if (task.kind === "start") count(task.subject.kind);
    }
    return counts;
  }

  /** Drops what is remembered of incarnations that are neither ordered nor there. */
  #forget(orders: Orders): void {
    const ordered = new Set(orders.instances.map(keyOf));
    const isKnown = (key: string) => ordered.has(key) || this.#observed.has(key);
    this.#options.history.prune(isKnown);
    this.#options.steps.failures.prune(isKnown);
  }

  #count(held: readonly Held[]): void {
    const { metrics, tasks } = this.#options;
    metrics.leaseHeld.set(this.#lastLease === "held" ? 1 : 0);
    for (const step of TASK_KINDS) {
      const queued = held.filter(({ hold }) => hold.queuedFor === step);
      metrics.queueLength.set({ step }, queued.length);
      metrics.tasks.set({ step }, tasks.all().filter(({ kind }) => kind === step).length);
    }
  }

  #untilNext(held: readonly Held[], now: Instant): number {
    const { random } = this.#options;
    const dueMs = Math.min(...held.flatMap(({ hold }) => hold.until ?? [])) - now;
    const jittered = Math.max(0, dueMs) * (1 + JITTER * random());
    return this.#untilEnding(Math.min(POLL_MS, jittered));
  }

  /** So long, or until the lease ends: at once where it did since its state was looked at. */
  #untilEnding(ms: number): number {
    return Math.min(ms, this.#options.lease.untilEnding(this.#lastLease));
  }
}
