/** Tells coordinators what the host observes: on change, and at most once a second. */
import { isDeepStrictEqual } from "node:util";
import type { Clock, Labels, Observed, Orders, Report } from "@evm/fleet";
import type { HostStore } from "@evm/store";
import { type Log, Wake, withDeadline } from "@evm/telemetry";
import { capacityOf, type Machine, type Reserve } from "./capacity.ts";
import type { HostStatus } from "./host-status.ts";
import { type AgentMetrics, measureCapacity } from "./metrics.ts";

const MIN_INTERVAL_MS = 1_000;
/** A report that says nothing new is written so often: its age shows that the host is not stuck. */
const REPEAT_MS = 30_000;
const RETRY_MS = 2_000;
/** A change of JetStream's leader takes up to ten seconds. */
const PUT_TIMEOUT_MS = 15_000;

export type ReporterOptions = {
  readonly store: Pick<HostStore, "host" | "putReport" | "onReconnect">;
  readonly labels: Labels;
  readonly machine: Machine;
  readonly reserve: Reserve;
  readonly status: HostStatus;
  readonly orders: () => Orders | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
};

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #wake = new Wake();
  #instances: readonly Observed[] | undefined;
  /** The last report that the store took. */
  #sent: Report | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Takes what is on the host now; it is told when its turn comes. */
  publish(instances: readonly Observed[]): void {
    this.#instances = instances;
    this.#wake.wake();
  }

  /** Looks soon whether there is anything to tell. */
  wake(): void {
    this.#wake.wake();
  }

  /** Reports until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    store.onReconnect(() => this.#reportAnew(), signal);
    while (!signal.aborted) {
      const report = this.#compose();
      const isDue = report !== undefined && this.#isDue(report);
      const isSent = isDue && (await this.#send(report, signal));
      if (isSent) await clock.sleep(MIN_INTERVAL_MS, signal);
      if (isDue && !isSent) await clock.sleep(RETRY_MS, signal);
      else await this.#wake.wait(REPEAT_MS - MIN_INTERVAL_MS, clock, signal);
    }
  }

  /** The store may have lost what it was told: it is told again, in turn. */
  #reportAnew(): void {
    this.#sent = undefined;
    this.#wake.wake();
  }

  /** Undefined until drivers were listed and probed: half a report would look like a loss. */
  #compose(): Report | undefined {
    const { store, labels, machine, reserve, status, orders, clock, metrics } = this.#options;
    if (this.#instances === undefined || status.view === undefined) return undefined;
    const { drivers, pools } = status.view;
    const capacity = capacityOf(machine, pools, reserve);
    measureCapacity(capacity, metrics);
    return {
      host: store.host,
      reportedAt: clock.now(),
      epoch: orders()?.epoch ?? 0,
      generation: orders()?.generation ?? 0,
      labels,
      capacity,
      drivers,
      pools,
      instances: this.#instances,
    };
  }

  #isDue(report: Report): boolean {
    if (this.#sent === undefined) return true;
    const { reportedAt } = this.#sent;
    if (report.reportedAt - reportedAt >= REPEAT_MS || report.reportedAt < reportedAt) return true;
    return !isDeepStrictEqual({ ...report, reportedAt }, this.#sent);
  }

  async #send(report: Report, signal: AbortSignal): Promise<boolean> {
    const { store, clock, log } = this.#options;
    const deadline = { clock, ms: PUT_TIMEOUT_MS, signal, doing: "writing the report" };
    try {
      await withDeadline(deadline, (limited) => store.putReport(report, limited));
      this.#sent = report;
      return true;
    } catch (error) {
      signal.throwIfAborted();
      log.debug("the report could not be written yet", { error });
      return false;
    }
  }
}
