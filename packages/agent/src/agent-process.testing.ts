/** The agent's program as a process of its own, with settings from variables. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** A loaded machine may take seconds. */
const START_TIMEOUT_MS = 30_000;

export type LogLine = { readonly text: string; readonly [field: string]: unknown };

export class AgentProcess implements AsyncDisposable {
  readonly log: LogLine[] = [];
  readonly #child: ChildProcess;
  readonly #exit: Promise<readonly unknown[]>;
  #grown = Promise.withResolvers<void>();

  /** @param settings by their variables' names, without `EVM_AGENT_` */
  constructor(settings: Readonly<Record<string, string>>) {
    const own = Object.entries(settings).map(([name, value]) => [`EVM_AGENT_${name}`, value]);
    this.#child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, ...Object.fromEntries(own) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#exit = once(this.#child, "exit");
    if (this.#child.stdout === null) throw new Error("the agent has no output");
    createInterface(this.#child.stdout).on("line", (line) => {
      this.log.push(JSON.parse(line));
      this.#grown.resolve();
      this.#grown = Promise.withResolvers();
    });
  }

  /** Resolves with the first line that says `text`. */
  async said(text: string): Promise<LogLine> {
    const late = Promise.withResolvers<never>();
    const fail = () => late.reject(new Error(`never said "${text}": ${JSON.stringify(this.log)}`));
    const timer = setTimeout(fail, START_TIMEOUT_MS);
    try {
      for (;;) {
        const line = this.log.find((one) => one.text === text);
        if (line !== undefined) return line;
        await Promise.race([this.#grown.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process; returns its exit code, undefined where the signal ended it. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | undefined> {
    this.#child.kill(signal);
    const [code] = await this.#exit;
    return typeof code === "number" ? code : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}
