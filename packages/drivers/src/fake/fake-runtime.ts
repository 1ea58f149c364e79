/**
 * What a fake driver drives: instances that exist only in memory, with knobs for everything that
 * goes wrong. It outlives its drivers, as libvirtd and dockerd outlive an agent. Time and chance
 * come from outside, so that a run can be repeated.
 */
import { type Clock, runtimeName, type TemplateKind } from "@evm/fleet";
import {
  DriverError,
  type DriverErrorCode,
  type DriverInstance,
  type InstanceRef,
  type InstanceSpec,
} from "../driver.ts";
import {
  DEFAULT_PROGRAM,
  type FakeInstance,
  type FakeLife,
  type FakeProgram,
  readinessTimeoutMs,
  viewOf,
} from "./fake-instance.ts";
import { FakeLog } from "./fake-log.ts";

export type FakeVerb =
  | "probe"
  | "list"
  | "prepare"
  | "start"
  | "stop"
  | "discard"
  | "logs"
  | "console";

export type FakeFault = {
  readonly code: DriverErrorCode;
  /** The verb does its work, and only its answer is lost. */
  readonly isAfterEffect: boolean;
};

export type FakeRuntimeOptions = {
  readonly clock: Clock;
  /** From 0 up to 1; asked only for verbs with a failure probability. */
  readonly random: () => number;
  /** Chooses what runs in an instance; what it leaves out is ready at once and runs on. */
  readonly program?: (spec: InstanceSpec) => Partial<FakeProgram>;
};

export class FakeRuntime {
  readonly clock: Clock;
  readonly #random: () => number;
  readonly #program: (spec: InstanceSpec) => Partial<FakeProgram>;
  readonly #foreign = new Set<string>();
  readonly #entries = new Map<string, FakeInstance>();
  readonly #listeners = new Set<() => void>();
  /** What `instances` gives, by kind: the same array until something of that kind changes. */
  readonly #shown = new Map<TemplateKind | undefined, readonly DriverInstance[]>();
  readonly #outdated = new Set<TemplateKind | undefined>();
  readonly #views = new WeakMap<FakeLife, DriverInstance>();
  readonly #delays = new Map<FakeVerb, number>();
  readonly #nextFaults = new Map<FakeVerb, FakeFault[]>();
  /** Starts whose callers have left. */
  readonly #abandoned = new Set<Promise<void>>();
  readonly #probableFaults = new Map<FakeVerb, { fault: FakeFault; probability: number }>();

  constructor(options: FakeRuntimeOptions) {
    this.clock = options.clock;
    this.#random = options.random;
    this.#program = options.program ?? (() => ({}));
  }

  // Knobs.

  /** Every later call of this verb first takes this long. */
  setDelay(verb: FakeVerb, ms: number): void {
    this.#delays.set(verb, ms);
  }

  /** The next call of this verb that has no fault yet meets this one. */
  failNext(verb: FakeVerb, fault: FakeFault): void {
    this.#nextFaults.set(verb, [...(this.#nextFaults.get(verb) ?? []), fault]);
  }

  /** Every later call of this verb meets the fault with this probability; 0 ends that. */
  failSometimes(verb: FakeVerb, fault: FakeFault, probability: number): void {
    this.#probableFaults.set(verb, { fault, probability });
  }

  /** The incarnation ends at once with a failure, as by `kill -9`. */
  crash(ref: InstanceRef): void {
    this.#end(this.#require(ref, "crashing"), "failure", "killed from outside");
  }

  /** Everything is gone, as where a machine is set up anew. */
  wipe(): void {
    this.#entries.clear();
    this.#changed();
  }

  /** The readiness of a running incarnation shows, or no longer does. */
  setReady(ref: InstanceRef, isReady: boolean): void {
    const entry = this.#require(ref, "changing readiness");
    if (entry.life.phase !== "up") return;
    entry.life = { ...entry.life, isReady };
    this.#changed();
  }

  /** The incarnation prints this. */
  print(ref: InstanceRef, text: string): void {
    this.#require(ref, "printing").log.append(text);
  }

  /** Something under this name that is not EVM's. */
  createForeign(name: string): void {
    this.#foreign.add(name);
  }

  hasForeign(name: string): boolean {
    return this.#foreign.has(name);
  }

  /** Everything of EVM's, as it truly is: no delay, no fault. Sorted by name, then incarnation. */
  instances(kind?: TemplateKind): readonly DriverInstance[] {
    const known = this.#shown.get(kind);
    if (known !== undefined && !this.#outdated.has(kind)) return known;
    const shown = [...this.#entries.values()]
      .filter(({ spec }) => kind === undefined || spec.template.kind === kind)
      .map((entry) => this.#viewOf(entry))
      .sort((a, b) => compare(a.name, b.name) || a.incarnation - b.incarnation);
    this.#outdated.delete(kind);
    const isSame = known?.length === shown.length && known.every((one, at) => one === shown[at]);
    if (known !== undefined && isSame) return known;
    this.#shown.set(kind, shown);
    return shown;
  }

  #viewOf(entry: FakeInstance): DriverInstance {
    const known = this.#views.get(entry.life) ?? viewOf(entry);
    this.#views.set(entry.life, known);
    return known;
  }

  // What drivers call.

  /** Takes the verb's delay, and its fault if one is due. */
  async attempt<T>(verb: FakeVerb, signal: AbortSignal, effect: () => T | Promise<T>): Promise<T> {
    const delayMs = this.#delays.get(verb) ?? 0;
    if (delayMs > 0) await this.clock.sleep(delayMs, signal);
    const fault = this.#takeFault(verb);
    if (fault === undefined) return effect();
    if (fault.isAfterEffect) await effect();
    throw new DriverError(fault.code, `${verb}: a fault was asked for`);
  }

  create(spec: InstanceSpec): void {
    const key = runtimeName(spec.name, spec.incarnation);
    if (this.#entries.has(key)) return;
    if (this.#foreign.has(key)) {
      throw new DriverError("failed", `preparing ${key}: the name is taken by a foreign instance`);
    }
    this.#entries.set(key, { spec, log: new FakeLog(), life: { phase: "created" } });
    this.#changed();
  }

  /** A start that goes on where its caller leaves, as real runtimes do (D5). */
  async beginStart(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    const starting = this.attempt("start", NEVER, () => this.start(ref));
    try {
      await unlessLeft(starting, signal);
    } catch (error) {
      if (signal.aborted) this.#abandon(starting);
      throw error;
    }
  }

  start(ref: InstanceRef): void {
    const entry = this.#require(ref, "starting");
    if (entry.life.phase === "up") return;
    const program = { ...DEFAULT_PROGRAM, ...this.#program(entry.spec) };
    entry.life = {
      phase: "up",
      startedAt: this.clock.now(),
      program,
      isReady: readinessTimeoutMs(entry.spec.template) === undefined,
      isOverdue: false,
      end: new AbortController(),
    };
    entry.log.open(program.output);
    this.#schedule(entry, entry.life.end.signal, program);
    this.#changed();
  }

  /** What a list shows; waits for the starts whose callers have left (D5). */
  async listed(kind: TemplateKind, signal: AbortSignal): Promise<readonly DriverInstance[]> {
    while (this.#abandoned.size > 0) await unlessLeft(Promise.all(this.#abandoned), signal);
    return this.instances(kind);
  }

  #abandon(starting: Promise<void>): void {
    // Nobody is left to be told how it ends.
    const ending = starting.catch(() => {}).finally(() => this.#abandoned.delete(ending));
    this.#abandoned.add(ending);
  }

  /** Asks it to end; false where it does not listen. */
  askToEnd(ref: InstanceRef): boolean {
    const entry = this.#require(ref, "stopping");
    if (entry.life.phase === "up" && entry.life.program.isStubborn) return false;
    this.#end(entry, "success", undefined);
    return true;
  }

  kill(ref: InstanceRef): void {
    this.#end(this.#require(ref, "stopping"), "failure", "ended by force");
  }

  /** What a discard does; as a knob, an incarnation that is gone without a trace. */
  forget(ref: InstanceRef): void {
    const key = runtimeName(ref.name, ref.incarnation);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#end(entry, "failure", "removed");
    this.#entries.delete(key);
    this.#changed();
  }

  log(ref: InstanceRef): FakeLog {
    return this.#require(ref, "reading the log").log;
  }

  /** Fires when the running incarnation ends; undefined where it does not run. */
  endOf(ref: InstanceRef): AbortSignal | undefined {
    const { life } = this.#require(ref, "opening the console of");
    return life.phase === "up" ? life.end.signal : undefined;
  }

  /** Calls the listener after every change until the signal fires. */
  onChange(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  #require(ref: InstanceRef, doing: string): FakeInstance {
    const key = runtimeName(ref.name, ref.incarnation);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      throw new DriverError("notFound", `${doing} ${key}: no such incarnation`);
    }
    return entry;
  }

  #takeFault(verb: FakeVerb): FakeFault | undefined {
    const next = this.#nextFaults.get(verb)?.shift();
    if (next !== undefined) return next;
    const probable = this.#probableFaults.get(verb);
    if (probable === undefined || this.#random() >= probable.probability) return undefined;
    return probable.fault;
  }

  /** Everything that happens by itself after a start. */
  #schedule(entry: FakeInstance, ended: AbortSignal, program: FakeProgram): void {
    const timeoutMs = readinessTimeoutMs(entry.spec.template);
    if (timeoutMs !== undefined) {
      this.#later(program.readyAfterMs, ended, () => this.setReady(entry.spec, true));
      this.#later(timeoutMs, ended, () => this.#markOverdue(entry));
    }
    this.#later(program.endsAfterMs, ended, () => {
      if (program.exitCode === 0) this.#end(entry, "success", undefined);
      else this.#end(entry, "failure", `exit code ${program.exitCode}`);
    });
  }

  #later(ms: number | undefined, ended: AbortSignal, act: () => void): void {
    if (ms === undefined) return;
    const unlessEnded = () => {
      if (!ended.aborted) act();
    };
    // At once means before the start returns, as for an instance without a readiness.
    if (ms === 0) unlessEnded();
    // The second handler owns the only way in which a sleep fails: the instance ended first.
    else this.clock.sleep(ms, ended).then(unlessEnded, () => {});
  }

  #markOverdue(entry: FakeInstance): void {
    if (entry.life.phase !== "up" || entry.life.isReady) return;
    entry.life = { ...entry.life, isOverdue: true };
    this.#changed();
  }

  #end(entry: FakeInstance, exit: "success" | "failure", reason: string | undefined): void {
    if (entry.life.phase !== "up") return;
    const { startedAt, end } = entry.life;
    entry.life = { phase: "exited", startedAt, exit, reason };
    end.abort();
    entry.log.close();
    this.#changed();
  }

  #changed(): void {
    for (const kind of this.#shown.keys()) this.#outdated.add(kind);
    for (const listener of this.#listeners) listener();
  }
}

/** What the work comes to, unless the signal fires first. */
async function unlessLeft<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** The signal of work that nothing breaks off. */
const NEVER = new AbortController().signal;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
