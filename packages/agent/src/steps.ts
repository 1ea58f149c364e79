/** Carries out what `converge` decides, within limits: each step is one verb of a driver. */
import { type Driver, DriverError, type DriverInstance, type InstanceSpec } from "@evm/drivers";
import type { Clock, Instant, ObservedPhase, Step, TemplateKind } from "@evm/fleet";
import type { Log } from "@evm/telemetry";
import { callDriver } from "./driver-call.ts";
import type { EventLog } from "./events.ts";
import { type Failure, Failures } from "./failures.ts";
import { type HistoryKeeper, isRestart } from "./history.ts";
import type { AgentMetrics } from "./metrics.ts";
import {
  keyOf,
  type Subject,
  type Task,
  type TaskContext,
  type TaskKind,
  type Tasks,
} from "./tasks.ts";

/** How many steps of each sort a driver carries out at once. */
export type Slots = {
  readonly prepare: number;
  readonly start: number;
  readonly stop: number;
  readonly discard: number;
  /** An instance holds its slot until it is ready: for guests that need a whole CPU to boot. */
  readonly isHeldUntilReady: boolean;
};

/** How long an instance may take to end by itself: Docker's own default; a guest's shutdown. */
const GRACE_MS: Record<TemplateKind, number> = { container: 10_000, vm: 30_000 };

/** What must end by a certain time is tried again this soon: no failure may make it miss that. */
const URGENT_RETRY_MS = 250;

/** What an instance shows that waits for a slot; undefined: what its driver lists. */
const QUEUED_PHASE: Record<TaskKind, ObservedPhase | undefined> = {
  prepare: "preparing",
  start: "starting",
  stop: undefined,
  discard: undefined,
};

/** Why a step was not begun, to be shown with its instance. */
export type Hold = {
  /** What to show instead of the phase that its driver lists. */
  readonly phase: ObservedPhase | undefined;
  readonly reason: string;
  /** When to look again; undefined: something else will wake the agent. */
  readonly until: Instant | undefined;
  /** Present where it waits for a slot, and nothing else. */
  readonly queuedFor?: TaskKind;
};

/** An instance that waits, and why. */
export type Held = { readonly subject: Subject; readonly hold: Hold };

export type StepOptions = {
  /** Instances of the same driver that still hold the slot of their start. */
  readonly booting: number;
  /** Overrides how long it may take to end by itself: it must end by a certain time. */
  readonly graceMs: number | undefined;
};

export type StepRunnerOptions = {
  readonly drivers: ReadonlyMap<TemplateKind, Driver>;
  readonly slots: Record<TemplateKind, Slots>;
  readonly tasks: Tasks;
  readonly history: HistoryKeeper;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: AgentMetrics;
};

type Verb = Extract<Step, { kind: TaskKind }>;

export class StepRunner {
  readonly failures: Failures;
  readonly #options: StepRunnerOptions;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
    this.failures = new Failures(options.clock, options.random);
  }

  /** Begins a step; where it cannot begin now, says why. */
  begin(step: Step, subject: Subject, options: StepOptions): Hold | undefined {
    const { tasks, history, drivers } = this.#options;
    if (step.kind === "wait") {
      return { phase: undefined, reason: step.reason, until: step.untilMs };
    }
    if (step.kind === "giveUp") {
      history.note(step);
      return { phase: "failed", reason: step.reason, until: undefined };
    }
    const task = tasks.of(subject);
    if (task !== undefined) {
      const isBegun = task.kind === "prepare" || task.kind === "start";
      if (step.kind === "stop" && isBegun) tasks.cancel(subject, step.reason);
      return undefined;
    }
    const driver = drivers.get(step.driver);
    if (driver === undefined) {
      const reason = `this host runs no ${step.driver}s: the driver is not enabled`;
      return { phase: "failed", reason, until: undefined };
    }
    const hold = this.#backingOff(step, options) ?? this.#waitingForSlot(step, options);
    if (hold !== undefined) return hold;
    tasks.start(subject, step.kind, (context) =>
      this.#carryOut(step, subject, context, () => this.#verb(step, driver, context, options)),
    );
    return undefined;
  }

  /**
   * Judges a step that its driver calls done by the first listing after it. One without effect has
   * failed: begun again at once, it would be begun thousands of times. What came of a start is for
   * the restart policy to judge.
   */
  judge({ subject, kind }: Task, shown: DriverInstance | undefined): void {
    const key = keyOf(subject);
    if (hasWorked(kind, shown)) {
      this.failures.clear(key);
      return;
    }
    const found = shown === undefined ? "does not list it" : `lists it as ${shown.state}`;
    const text = `${kind} ${key}: the ${subject.kind} driver calls it done, but ${found}`;
    this.#noteFailure(key, subject.kind, kind, new DriverError("unavailable", text));
  }

  #noteFailure(key: string, driver: TemplateKind, step: TaskKind, error: unknown): Failure {
    this.#options.metrics.stepFailures.inc({ kind: driver, step });
    const failure = this.failures.note(key, step, error);
    const { count: attempt, isTransient } = failure;
    this.#options.log.warn("step failed", { instance: key, step, attempt, isTransient, error });
    return failure;
  }

  #backingOff(step: Verb, { graceMs }: StepOptions): Hold | undefined {
    const failure = this.failures.of(keyOf(step));
    if (failure?.step !== step.kind) return undefined;
    const retryAt = graceMs === undefined ? failure.retryAt : failure.notedAt + URGENT_RETRY_MS;
    const now = this.#options.clock.now();
    // A clock that was set back says nothing about how long ago it failed.
    if (now >= retryAt || now < failure.notedAt) return undefined;
    // Whether a start that failed for good is tried again is for the restart policy to say.
    if (step.kind === "start" && !failure.isTransient) return undefined;
    return { phase: shownPhase(failure), reason: failure.reason, until: retryAt };
  }

  #waitingForSlot(step: Verb, { booting, graceMs }: StepOptions): Hold | undefined {
    const { slots, tasks } = this.#options;
    // What must end by a certain time does not queue.
    if (step.kind === "stop" && graceMs !== undefined) return undefined;
    const limit = slots[step.driver][step.kind];
    const isBooting = step.kind === "start" && slots[step.driver].isHeldUntilReady;
    const taken = tasks.count(step.driver, step.kind) + (isBooting ? booting : 0);
    if (taken < limit) return undefined;
    const reason = `waits for its turn to ${step.kind}: this host does ${limit} at once`;
    return { phase: QUEUED_PHASE[step.kind], reason, until: undefined, queuedFor: step.kind };
  }

  async #carryOut(
    step: Verb,
    subject: Subject,
    { signal }: TaskContext,
    work: () => Promise<void>,
  ): Promise<boolean> {
    const { history, events, clock, metrics } = this.#options;
    const key = keyOf(subject);
    const log = this.#options.log.child({ instance: key, step: step.kind });
    const undo = history.note(step);
    const begunMs = clock.monotonicMs();
    log.info("step begun", { reason: step.reason });
    try {
      await work();
      log.info("step done", { ms: Math.round(clock.monotonicMs() - begunMs) });
      if (!isRestart(step)) return true;
      metrics.restarts.inc({ kind: step.driver });
      const text = `${key} was restarted: ${step.reason}`;
      events.append({ severity: "warning", reason: "InstanceRestarted", text, instance: subject });
      return true;
    } catch (error) {
      if (signal.aborted) {
        log.info("step broken off", { reason: signal.reason });
        // A start that was not let happen is none. A stop may have been asked for all the same.
        if (step.kind === "start") undo();
        return false;
      }
      const { isTransient } = this.#noteFailure(key, step.driver, step.kind, error);
      // The host's trouble is not the instance's: it does not use up the instance's restarts.
      if (isTransient) undo();
      return false;
    }
  }

  async #verb(
    step: Verb,
    driver: Driver,
    { signal, onProgress }: TaskContext,
    { graceMs = GRACE_MS[step.driver] }: StepOptions,
  ): Promise<void> {
    const { clock, metrics } = this.#options;
    const call = { driver, verb: step.kind, clock, metrics, signal } as const;
    switch (step.kind) {
      case "prepare":
        return callDriver(call, (limited) =>
          driver.prepare(specOf(step), { signal: limited, onProgress }),
        );
      case "start":
        return callDriver(call, (limited) => driver.start(step, limited));
      case "stop":
        return callDriver({ ...call, extraMs: graceMs }, (limited) =>
          driver.stop(step, { graceMs, signal: limited }),
        );
      case "discard":
        return callDriver(call, (limited) => driver.discard(step, limited));
    }
  }
}

function specOf({ ordered, template }: Extract<Step, { kind: "prepare" }>): InstanceSpec {
  return {
    name: ordered.name,
    incarnation: ordered.incarnation,
    fleet: ordered.fleet,
    index: ordered.index,
    templateDigest: template.digest,
    template: template.template,
    image: template.image,
  };
}

function hasWorked(step: TaskKind, shown: DriverInstance | undefined): boolean {
  switch (step) {
    case "prepare":
      return shown !== undefined;
    case "start":
      return true;
    case "stop":
      return shown?.state !== "running" && shown?.state !== "ready";
    case "discard":
      return shown === undefined;
  }
}

function shownPhase({ step, isTransient }: Failure): ObservedPhase {
  switch (step) {
    case "prepare":
      return isTransient ? "preparing" : "failed";
    case "start":
      return "starting";
    case "stop":
    case "discard":
      return "stopping";
  }
}
