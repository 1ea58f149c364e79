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
import type { SimulatedProcess } from "./process.ts";

export type DriverPortOptions = {
  readonly driver: Driver;
  readonly process: SimulatedProcess;
  /** Whether a verb that was begun is carried out although the agent that asked is gone. */
  readonly outlivesAgent: boolean;
};

/** A driver as one life of an agent reaches it. */
export class DriverPort implements Driver {
  readonly kind: Driver["kind"];
  readonly #options: DriverPortOptions;

  constructor(options: DriverPortOptions) {
    this.kind = options.driver.kind;
    this.#options = options;
  }

  probe(signal: AbortSignal): Promise<DriverProbe> {
    return this.#call(signal, (driver, limited) => driver.probe(limited));
  }

  list(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    return this.#call(signal, (driver, limited) => driver.list(limited));
  }

  prepare(spec: InstanceSpec, options: PrepareOptions): Promise<void> {
    return this.#call(options.signal, (driver, signal) =>
      driver.prepare(spec, { ...options, signal }),
    );
  }

  start(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#call(signal, (driver, limited) => driver.start(ref, limited));
  }

  stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    return this.#call(options.signal, (driver, signal) => driver.stop(ref, { ...options, signal }));
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

  async #call<T>(
    signal: AbortSignal,
    verb: (driver: Driver, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { driver, process, outlivesAgent } = this.#options;
    process.signal.throwIfAborted();
    const cancel = new AbortController();
    const onAbort = () => {
      if (!process.signal.aborted || !outlivesAgent) cancel.abort(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await process.hear(verb(driver, cancel.signal));
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
