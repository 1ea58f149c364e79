/** A driver over a `FakeRuntime`: the same behaviour as the real ones, at the pace of a clock. */
import { runtimeName, type TemplateKind } from "@evm/fleet";
import {
  type ConsoleSession,
  cancelled,
  type Driver,
  DriverError,
  type DriverInstance,
  type DriverProbe,
  type InstanceRef,
  type InstanceSpec,
  type LogOptions,
  type PrepareOptions,
} from "../driver.ts";
import { FakeConsole } from "./fake-console.ts";
import type { FakeRuntime, FakeVerb } from "./fake-runtime.ts";

export type FakeDriverOptions = {
  readonly kind: TemplateKind;
  /** Survives the driver, and may be shared: by the drivers of one host, and over restarts. */
  readonly runtime: FakeRuntime;
};

/** Makes a driver of this kind; it keeps nothing that its runtime does not (D1). */
export const createFakeDriver = (options: FakeDriverOptions): Driver => new FakeDriver(options);

class FakeDriver implements Driver {
  readonly kind: TemplateKind;
  readonly #runtime: FakeRuntime;

  constructor({ kind, runtime }: FakeDriverOptions) {
    this.kind = kind;
    this.#runtime = runtime;
  }

  async probe(signal: AbortSignal): Promise<DriverProbe> {
    try {
      return await this.#do("probe", "probing", signal, () => ({
        isUsable: true,
        detail: `fake ${this.kind}`,
        warnings: [],
      }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { isUsable: false, reason, remedy: "turn the fault off" };
    }
  }

  list(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    return this.#do("list", "listing", signal, () => this.#runtime.listed(this.kind, signal));
  }

  prepare(spec: InstanceSpec, { signal }: PrepareOptions): Promise<void> {
    return this.#do("prepare", `preparing ${nameOf(spec)}`, signal, () => {
      if (spec.template.kind !== this.kind) {
        const text = `a ${this.kind} driver was given a ${spec.template.kind}`;
        throw new DriverError("invalid", `preparing ${nameOf(spec)}: ${text}`);
      }
      this.#runtime.create(spec);
    });
  }

  start(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#tell(`starting ${nameOf(ref)}`, signal, () =>
      this.#runtime.beginStart(ref, signal),
    );
  }

  stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const { graceMs, signal } = options;
    return this.#do("stop", `stopping ${nameOf(ref)}`, signal, async () => {
      if (this.#runtime.askToEnd(ref)) return;
      await this.#runtime.clock.sleep(graceMs, signal);
      this.#runtime.kill(ref);
    });
  }

  discard(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#do("discard", `discarding ${nameOf(ref)}`, signal, () =>
      this.#runtime.forget(ref),
    );
  }

  async *logs(ref: InstanceRef, options: LogOptions): AsyncIterable<Uint8Array> {
    const doing = `reading the log of ${nameOf(ref)}`;
    const log = await this.#do("logs", doing, options.signal, () => this.#runtime.log(ref));
    yield* log.read(options);
  }

  console(ref: InstanceRef, signal: AbortSignal): Promise<ConsoleSession> {
    const doing = `opening the console of ${nameOf(ref)}`;
    return this.#do("console", doing, signal, () => {
      const end = this.#runtime.endOf(ref);
      if (end === undefined) throw new DriverError("failed", `${doing}: it does not run`);
      return new FakeConsole(AbortSignal.any([signal, end]));
    });
  }

  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#runtime.onChange(onChange, signal);
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #do<T>(
    verb: FakeVerb,
    doing: string,
    signal: AbortSignal,
    effect: () => T | Promise<T>,
  ): Promise<T> {
    return this.#tell(doing, signal, () => this.#runtime.attempt(verb, signal, effect));
  }

  async #tell<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (error instanceof DriverError || !signal.aborted) throw error;
      throw cancelled(doing, signal, error);
    }
  }
}

const nameOf = (ref: InstanceRef): string => runtimeName(ref.name, ref.incarnation);
