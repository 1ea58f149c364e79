import type {
  ConsoleSession,
  Driver,
  DriverInstance,
  DriverProbe,
  InstanceRef,
  InstanceSpec,
  LogOptions,
  PrepareOptions,
} from "@evm/drivers";
import type { Machinery } from "./machinery.ts";
import type { SimulatedProcess } from "./process.ts";

export type DriverPortOptions = {
  readonly driver: Driver;
  readonly process: SimulatedProcess;
  /**
   * Whether a verb that was begun is carried out although the agent that asked is gone; starts
   * always are.
   */
  readonly outlivesAgent: boolean;
  /** What is wrong with the host's runtimes. */
  readonly machinery: Machinery;
};

/** A driver as one life of an agent reaches it. */
export class DriverPort implements Driver {
  readonly kind: Driver["kind"];
  readonly #options: DriverPortOptions;

  constructor(options: DriverPortOptions) {
    this.kind = options.driver.kind;
    this.#options = options;
  }

  /** Never fails: one that hangs is not usable. */
  async probe(signal: AbortSignal): Promise<DriverProbe> {
    try {
      return await this.#call(signal, (driver, limited) => driver.probe(limited));
    } catch (error) {
      return { isUsable: false, reason: String(error), remedy: "let it go on" };
    }
  }

  list(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    const { machinery } = this.#options;
    return this.#owed(() =>
      this.#call(signal, (driver, limited) =>
        machinery.list(this.kind, () => driver.list(limited), limited),
      ),
    );
  }

  prepare(spec: InstanceSpec, options: PrepareOptions): Promise<void> {
    return this.#call(options.signal, (driver, signal) =>
      driver.prepare(spec, { ...options, signal }),
    );
  }

  async start(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    const { driver, process } = this.#options;
    await this.#answering(signal);
    await process.hear(driver.start(ref, AbortSignal.any([signal, process.signal])));
  }

  stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const { graceMs } = options;
    return this.#owed(
      () =>
        this.#call(options.signal, (driver, signal) => driver.stop(ref, { ...options, signal })),
      graceMs,
    );
  }

  discard(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#call(signal, (driver, limited) => driver.discard(ref, limited));
  }

  logs(ref: InstanceRef, options: LogOptions): AsyncIterable<Uint8Array> {
    return this.#options.driver.logs(ref, options);
  }

  console(ref: InstanceRef, signal: AbortSignal): Promise<ConsoleSession> {
    return this.#options.driver.console(ref, signal);
  }

  watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { driver, process } = this.#options;
    return process.hear(driver.watch(() => process.deliver(onChange), signal));
  }

  /** Notes how long a verb takes that an agent relies on to stop something in time. */
  #owed<T>(call: () => Promise<T>, allowedMs = 0): Promise<T> {
    return this.#options.machinery.timed(allowedMs, call);
  }

  async #call<T>(
    signal: AbortSignal,
    verb: (driver: Driver, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { driver, process, outlivesAgent } = this.#options;
    await this.#answering(signal);
    if (!outlivesAgent) return process.hear(verb(driver, signal));
    const cancel = new AbortController();
    const onAbort = () => {
      if (!process.signal.aborted) cancel.abort(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await process.hear(verb(driver, cancel.signal));
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Waits until the runtime takes calls. */
  async #answering(signal: AbortSignal): Promise<void> {
    const { process, machinery } = this.#options;
    process.signal.throwIfAborted();
    if (machinery.isHung) await process.hear(machinery.awake(signal));
  }
}
