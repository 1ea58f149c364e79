/** What the host can do: its drivers, asked, and its pools, measured. */
import type { Driver } from "@evm/drivers";
import type { Clock, Digest, DriverStatus, PoolStatus } from "@evm/fleet";
import type { ImageCache } from "@evm/images";
import { errorText, type Log, Wake } from "@evm/telemetry";
import { callDriver } from "./driver-call.ts";
import type { AgentMetrics } from "./metrics.ts";

/** Drivers come and go with their daemons, and disks fill up. */
const POLL_MS = 30_000;
/** A probe may start a process; no burst of failures needs more. */
const MIN_INTERVAL_MS = 2_000;

export type HostStatusOptions = {
  readonly drivers: readonly Driver[];
  readonly images: Pick<ImageCache, "status">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly onChange: () => void;
  /** Told of what was fetched since the last time. */
  readonly onFetched: (artifact: Digest, pool: string) => void;
};

export type HostStatusView = {
  readonly drivers: readonly DriverStatus[];
  readonly pools: readonly PoolStatus[];
};

export class HostStatus {
  readonly #options: HostStatusOptions;
  readonly #wake = new Wake();
  #view: HostStatusView | undefined;

  constructor(options: HostStatusOptions) {
    this.#options = options;
  }

  /** Undefined until everything was asked once. */
  get view(): HostStatusView | undefined {
    return this.#view;
  }

  /** Asks again soon. */
  refresh(): void {
    this.#wake.wake();
  }

  /** Asks until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { drivers, clock, onChange } = this.#options;
    while (!signal.aborted) {
      const [pools, ...statuses] = await Promise.all([
        this.#pools(),
        ...drivers.map((driver) => this.#probe(driver, signal)),
      ]);
      signal.throwIfAborted();
      if (this.#view !== undefined) this.#tellFetched(this.#view.pools, pools);
      this.#view = { drivers: statuses, pools };
      onChange();
      await this.#wake.wait(POLL_MS, clock, signal, MIN_INTERVAL_MS);
    }
  }

  async #probe(driver: Driver, signal: AbortSignal): Promise<DriverStatus> {
    const { clock, metrics, log } = this.#options;
    const { kind } = driver;
    const call = { driver, verb: "probe", clock, metrics, signal } as const;
    const probe = await callDriver(call, (limited) => driver.probe(limited));
    // What a probe says that was cut short is nothing about the driver.
    signal.throwIfAborted();
    const detail = probe.isUsable ? probe.detail : probe.reason;
    const before = this.#view?.drivers.find((status) => status.kind === kind);
    if (before?.detail !== detail || before.isUsable !== probe.isUsable) {
      if (probe.isUsable) log.info("driver usable", { driver: kind, detail, ...warnings(probe) });
      else log.warn("driver not usable", { driver: kind, reason: detail, remedy: probe.remedy });
    }
    return { kind, isUsable: probe.isUsable, detail };
  }

  async #pools(): Promise<readonly PoolStatus[]> {
    const { images, metrics, log } = this.#options;
    try {
      const pools = await images.status();
      for (const { name, totalBytes, freeBytes, artifacts } of pools) {
        const before = this.#view?.pools.find((pool) => pool.name === name);
        if (totalBytes === 0 && before?.totalBytes !== 0) {
          log.warn("the pool cannot be read; is its disk mounted?", { pool: name });
        }
        metrics.poolTotal.set({ pool: name }, totalBytes);
        metrics.poolFree.set({ pool: name }, freeBytes);
        metrics.poolArtifacts.set({ pool: name }, artifacts.length);
      }
      return pools;
    } catch (error) {
      log.warn(`the pools cannot be measured: ${errorText(error)}`);
      return this.#view?.pools ?? [];
    }
  }

  #tellFetched(before: readonly PoolStatus[], now: readonly PoolStatus[]): void {
    for (const { name, artifacts } of now) {
      const known = new Set(before.find((pool) => pool.name === name)?.artifacts);
      for (const artifact of artifacts) {
        if (!known.has(artifact)) this.#options.onFetched(artifact, name);
      }
    }
  }
}

const warnings = (probe: { readonly warnings: readonly string[] }) =>
  probe.warnings.length === 0 ? {} : { warnings: probe.warnings };
