/** Runs seeds in as many processes as there are cores, or as are asked for. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import type { Mutation } from "./mutation.ts";
import type { RunOutcome, Selection } from "./run.ts";

const FLAGS = [
  // A world makes much garbage that dies young: with less (MiB), a fifth of the time goes there.
  "--max-semi-space-size=32",
  // Timers outlive what set them: taken for long-lived for that, they would be made where garbage
  // is collected seldom, and keep alive what they refer to. That took a sixth of the time.
  "--no-allocation-site-pretenuring",
  // Every core runs worlds: threads that help to collect garbage only wait for each other.
  "--no-parallel-scavenge",
];

/** What came of a seed, and what it cost. */
export type Costed = RunOutcome & { readonly cpuMs: number };

export class Crew implements AsyncDisposable {
  readonly #workers: readonly ChildProcess[];
  readonly #idle: ChildProcess[];
  readonly #waiting: ((worker: ChildProcess) => void)[] = [];

  /** @param mutation what is wrong with the programs that this crew runs */
  constructor(mutation?: Mutation, size = availableParallelism()) {
    const args = mutation === undefined ? [] : [JSON.stringify(mutation)];
    // Threads would do, but V8 may crash where a process starts and ends hundreds of them, and
    // would take all seeds with it.
    this.#workers = Array.from({ length: size }, () =>
      fork(new URL("./worker.ts", import.meta.url), args, {
        execArgv: FLAGS,
        serialization: "advanced",
      }),
    );
    this.#idle = [...this.#workers];
  }

  get size(): number {
    return this.#workers.length;
  }

  /**
   * Runs one seed when a process is free.
   *
   * @throws where the process ends over it
   */
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
    await Promise.all(this.#workers.map(end));
  }

  #free(): Promise<ChildProcess> {
    const { promise, resolve } = Promise.withResolvers<ChildProcess>();
    this.#waiting.push(resolve);
    return promise;
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

async function ask(worker: ChildProcess, selection: Selection): Promise<Costed> {
  const { promise, resolve, reject } = Promise.withResolvers<Costed>();
  const onExit = () => reject(new Error(`seed ${selection.seed}: ${howItEnded(worker)}`));
  worker.once("message", resolve);
  worker.once("exit", onExit);
  if (hasEnded(worker)) onExit();
  else worker.send(selection);
  try {
    return await promise;
  } finally {
    worker.off("message", resolve);
    worker.off("exit", onExit);
  }
}

async function end(worker: ChildProcess): Promise<void> {
  if (hasEnded(worker)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.once("exit", () => resolve());
  worker.kill("SIGKILL");
  await promise;
}

const howItEnded = ({ exitCode, signalCode }: ChildProcess): string =>
  `its process ended by ${signalCode ?? `exit code ${exitCode}`}`;
