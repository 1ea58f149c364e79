import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PATIENCE_MS } from "../../support/eventually.ts";

/** Removing everything on a busy machine takes its time; `evm dev` gives itself 3 minutes. */
const END_TIMEOUT_MS = 200_000;

export type ProgramOptions = {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};

/** A process whose output is read line by line, both streams as one. Disposing of it ends it. */
export class Program implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #news = Promise.withResolvers<void>();

  constructor({ command, arguments: words, environment = {} }: ProgramOptions) {
    // It ends with this process, however this one ends; in a group of its own, so that Ctrl-C
    // reaches it through this process alone.
    this.#child = spawn("setpriv", ["--pdeathsig", "TERM", command, ...words], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#ended = this.#end();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) throw new Error(`${command} has no output`);
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#tell();
      });
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("it could not be started");
    return pid;
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /** Resolves with what `pattern` finds first in a line. */
  async said(pattern: RegExp): Promise<readonly string[]> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, PATIENCE_MS);
    let isOver = false;
    const over = Promise.race([this.#ended, late.promise]).then(() => {
      isOver = true;
    });
    try {
      for (;;) {
        const news = this.#news.promise;
        for (const line of this.lines) {
          const found = pattern.exec(line);
          if (found !== null) return found;
        }
        if (isOver) throw new Error(`it never said ${pattern}:\n${this.output}`);
        await Promise.race([news, over]);
      }
    } finally {
      clearTimeout(timer);
      late.resolve();
    }
  }

  /** Its exit code, once it has ended and all of its output is there; 128 for a signal. */
  get ended(): Promise<number> {
    return this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it; returns its exit code. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.kill(signal);
    // Whatever was stopped hears of no signal but this.
    this.kill("SIGCONT");
    const timer = setTimeout(() => this.kill("SIGKILL"), END_TIMEOUT_MS);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #end(): Promise<number> {
    try {
      const [code]: unknown[] = await once(this.#child, "close");
      return typeof code === "number" ? code : 128;
    } catch (error) {
      this.lines.push(String(error));
      return 128;
    }
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers();
    resolve();
  }
}
