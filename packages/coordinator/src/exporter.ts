/**
 * Writes exports on a schedule. Every coordinator that is asked to does, leader or not: they know
 * the same, and copies on several machines outlast one disk.
 *
 *  X1 Nothing is written while the control state is lost, or nothing is declared: for that the
 *     older exports are kept.
 *  X2 One that says the same as the last is not written, so that as many as are kept reach far
 *     back.
 */
import { formatExport, parseExport } from "@evm/codec";
import { type Clock, type ClusterExport, isSame } from "@evm/fleet";
import { errorText, type Log } from "@evm/telemetry";
import type { Announcer } from "./announcer.ts";
import type { ExportFolder } from "./export-folder.ts";
import type { CoordinatorMetrics } from "./metrics.ts";

/** Time for hosts to be heard of, and with them of a control state that is lost. */
const FIRST_MS = 10_000;

export type ExporterOptions = {
  readonly folder: ExportFolder;
  readonly intervalMs: number;
  /** So many exports stay, the newest. */
  readonly keep: number;
  /** What to export now; undefined where there is nothing that should be (X1). */
  readonly take: () => ClusterExport | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly announcer: Announcer;
  readonly metrics: Pick<CoordinatorMetrics, "exports" | "exportedAt">;
};

export class Exporter {
  readonly #options: ExporterOptions;
  /** What the newest export says; undefined while none is known that can be read. */
  #last: ClusterExport | undefined;
  #hasFailed = false;

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** Exports until the signal fires, then rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, intervalMs } = this.#options;
    await clock.sleep(Math.min(FIRST_MS, intervalMs), signal);
    for (;;) {
      await this.#attempt();
      await clock.sleep(intervalMs, signal);
    }
  }

  async #attempt(): Promise<void> {
    const { log, announcer, metrics, clock } = this.#options;
    const value = this.#options.take();
    if (value === undefined) return;
    try {
      const isWritten = await this.#export(value);
      metrics.exports.inc({ outcome: isWritten ? "written" : "unchanged" });
      metrics.exportedAt.set(clock.now() / 1_000);
      this.#hasFailed = false;
    } catch (error) {
      metrics.exports.inc({ outcome: "failed" });
      log.error("the cluster could not be exported", { error });
      if (!this.#hasFailed) announcer.say("error", "ExportFailed", errorText(error));
      this.#hasFailed = true;
    }
  }

  /** Returns whether it differs from the last one, and so was written. */
  async #export(value: ClusterExport): Promise<boolean> {
    const { folder, keep, log } = this.#options;
    const names = await folder.list();
    this.#last ??= await this.#read(names.at(-1));
    if (this.#last !== undefined && saysTheSame(this.#last, value)) return false;
    const name = `evm-${new Date(value.exportedAt).toISOString().replaceAll(":", "-")}.yaml`;
    await folder.write(name, formatExport(value));
    this.#last = value;
    for (const old of [...names, name].slice(0, -keep)) await folder.remove(old);
    log.info("exported the cluster", { file: name });
    return true;
  }

  /** Undefined where there is none, or one that cannot be read: another is written. */
  async #read(file: string | undefined): Promise<ClusterExport | undefined> {
    if (file === undefined) return undefined;
    const { folder, log } = this.#options;
    try {
      return parseExport({ file, text: await folder.read(file) });
    } catch (error) {
      log.warn("the newest export cannot be read", { file, error });
      return undefined;
    }
  }
}

/** True where two exports differ at most in when they were made, and under which epoch. */
const saysTheSame = (a: ClusterExport, b: ClusterExport): boolean =>
  isSame(a.fleets, b.fleets) && isSame(a.images, b.images) && isSame(a.hosts, b.hosts);
