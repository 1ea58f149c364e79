/**
 * What the agent did to each incarnation, kept over its own restarts, so that an agent that is
 * restarted neither forgives nor forgets. Written behind: losing the last second of it costs one
 * restart too many at the most, waiting for a disk would hold up every restart.
 */
import {
  type Clock,
  type History,
  isInstanceName,
  type RestartRecord,
  remember,
  runtimeName,
  type Step,
} from "@evm/fleet";
import { errorText, type Log, Wake } from "@evm/telemetry";
import { z } from "zod";
import type { StateDir } from "./state-dir.ts";

const FILE = "history.json";
/** Writes at most so often: each is a sync of the disk. */
const MIN_INTERVAL_MS = 1_000;
const IDLE_MS = 60_000;

const entrySchema = z.object({
  name: z.string().refine(isInstanceName),
  incarnation: z.int().positive(),
  restartedAt: z.array(z.number()),
  stopped: z.enum(["ordered", "unhealthy"]).optional(),
  givenUp: z.string().optional(),
  restarts: z.int().nonnegative(),
});
const fileSchema = z.array(entrySchema);

export type HistoryOptions = {
  readonly stateDir: StateDir;
  readonly clock: Clock;
  readonly log: Log;
};

export class HistoryKeeper {
  readonly #options: HistoryOptions;
  readonly #wake = new Wake();
  #records: History = new Map();
  /** All restarts of an incarnation, also those outside of its policy's window. */
  readonly #restarts = new Map<string, number>();
  #isSaved = true;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  get records(): History {
    return this.#records;
  }

  restartsOf(key: string): number {
    return this.#restarts.get(key) ?? 0;
  }

  /** Notes that a step was begun; returns what undoes the note, should it turn out not to count. */
  note(step: Step): () => void {
    const key = runtimeName(step.name, step.incarnation);
    const before = this.#records.get(key);
    const restarts = this.restartsOf(key);
    this.#records = remember(this.#records, step);
    if (isRestart(step)) this.#restarts.set(key, restarts + 1);
    if (step.kind === "discard") this.#restarts.delete(key);
    this.#changed();
    return () => {
      this.#set(key, before);
      this.#restarts.set(key, restarts);
      this.#changed();
    };
  }

  /** Forgets every incarnation for which `isKnown` is false. */
  prune(isKnown: (key: string) => boolean): void {
    for (const key of this.#records.keys()) {
      if (isKnown(key)) continue;
      this.#set(key, undefined);
      this.#restarts.delete(key);
      this.#changed();
    }
  }

  async load(): Promise<void> {
    const { stateDir, log } = this.#options;
    const content = await stateDir.read(FILE);
    if (content === undefined) return;
    try {
      for (const { restarts, ...entry } of fileSchema.parse(JSON.parse(textOf(content)))) {
        const { name, incarnation, stopped, givenUp } = entry;
        const key = runtimeName(name, incarnation);
        this.#set(key, { ...entry, stopped, givenUp });
        this.#restarts.set(key, restarts);
      }
    } catch (error) {
      const aside = await stateDir.setAside(FILE);
      log.error("the restart history cannot be read; counting begins anew", { aside, error });
    }
  }

  /** Saves what changes until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.save();
      await this.#wake.wait(IDLE_MS, clock, signal, MIN_INTERVAL_MS);
    }
  }

  /** Saves now what is not saved yet; a failure is told, and tried again with the next change. */
  async save(): Promise<void> {
    if (this.#isSaved) return;
    this.#isSaved = true;
    const entries = [...this.#records].map(([key, record]) => ({
      ...record,
      restarts: this.restartsOf(key),
    }));
    try {
      await this.#options.stateDir.write(FILE, Buffer.from(JSON.stringify(entries)));
    } catch (error) {
      this.#isSaved = false;
      this.#options.log.error(`the restart history cannot be saved: ${errorText(error)}`);
    }
  }

  #set(key: string, record: RestartRecord | undefined): void {
    const records = new Map(this.#records);
    if (record === undefined) records.delete(key);
    else records.set(key, record);
    this.#records = records;
  }

  #changed(): void {
    this.#isSaved = false;
    this.#wake.wake();
  }
}

/** True where a step starts an incarnation again that ended by itself. */
export const isRestart = (step: Step): boolean =>
  step.kind === "start" && step.record.restartedAt.length > 0;

const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);
