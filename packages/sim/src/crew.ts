/** Runs seeds on as many threads as there are cores, or as are asked for. */
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import type { Mutation } from "./mutation.ts";
import type { RunOutcome, Selection } from "./run.ts";

/** A world makes much garbage that dies young: with less, a fifth of the time goes there. */
const YOUNG_GENERATION_MIB = 64;

/**
 * Timers outlive what set them: taken for long-lived for that, they would be made where garbage is
 * collected seldom, and keep alive what they refer to. That took a sixth of the time.
 */
const PLACEMENT = "--no-allocation-site-pretenuring";

/** Every core runs worlds: threads that help to collect garbage only wait for each other. */
const COLLECTION = "--no-parallel-scavenge";

/** What came of a seed, and what it cost. */
export type Costed = RunOutcome & { readonly cpuMs: number };

export class Crew implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  /** @param mutation what is wrong with the programs that this crew runs */
  constructor(mutation?: Mutation, size = availableParallelism()) {
    for (const flag of [PLACEMENT, COLLECTION]) setFlagsFromString(flag);
    this.#workers = Array.from({ length: size }, () => {
      const url = new URL("./worker.ts", import.meta.url);
      const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB };
      return new Worker(url, { workerData: { mutation }, execArgv: [], resourceLimits });
    });
    this.#idle = [...this.#workers];
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Runs one seed when a thread is free. */
  async run(selection: Selection): Promise<Costed> {
    const worker = this.#idle.pop() ?? (await this.#free());
    try {
      return await ask(worker, selection);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(worker);
      else next(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #free(): Promise<Worker> {
    const { promise, resolve } = Promise.withResolvers<Worker>();
    this.#waiting.push(resolve);
    return promise;
  }
}

function ask(worker: Worker, selection: Selection): Promise<Costed> {
  const { promise, resolve, reject } = Promise.withResolvers<Costed>();
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.postMessage(selection);
  return promise.finally(() => {
    worker.off("message", resolve);
    worker.off("error", reject);
  });
}
