/** One process of `evm dev`: its log shown as a person reads it, its end noticed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CliError } from "../../cli-error.ts";
import { styledErr, type Terminal } from "../../output/terminal.ts";

/** Longer than any part needs to end; then it is killed. */
const STOP_TIMEOUT_MS = 10_000;
/** So much of what a part wrote, unseen, is kept for the error that says why it ended. */
const KEPT_LINES = 20;

export type LogLine = {
  readonly text: string;
  readonly fields: { readonly [name: string]: unknown };
};

export type PartOptions = {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  /** Whether every line is shown, or warnings and errors alone. */
  readonly isVerbose: boolean;
};

export class Part {
  readonly name: string;
  readonly #options: PartOptions;
  readonly #child: ChildProcess;
  readonly #kept: string[] = [];
  readonly #listeners = new Set<(line: LogLine) => void>();
  /** Resolves when the process has ended, with how it did. */
  readonly ended: Promise<string>;

  constructor(options: PartOptions) {
    this.name = options.name;
    this.#options = options;
    // The parts end with this process, however it ends; instances are nobody's children.
    this.#child = spawn(
      "setpriv",
      ["--pdeathsig", "TERM", options.command, ...options.arguments],
      // A group of its own: Ctrl-C is for `evm dev`, which ends its parts in their order.
      { env: options.environment, stdio: ["ignore", "pipe", "pipe"], detached: true },
    );
    this.ended = this.#end();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null)
        createInterface({ input: stream }).on("line", (text) => this.#line(text));
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The first log line that `isIt` accepts; fails if the process ends before. */
  async line(isIt: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const listener = (line: LogLine) => {
      if (isIt(line)) resolve(line);
    };
    const onAbort = () => reject(signal.reason);
    this.#listeners.add(listener);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([promise, this.ended.then((how) => this.#failed(how))]);
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Asks it to end, and makes it end. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #failed(how: string): never {
    const log = this.#kept.map((line) => `\n  ${line}`).join("");
    throw new CliError("failed", `${this.name} ${how} before it was ready${log}`);
  }

  async #end(): Promise<string> {
    try {
      const [code, signal]: unknown[] = await once(this.#child, "exit");
      return signal === null ? `ended with code ${String(code)}` : `was ended by ${String(signal)}`;
    } catch (error) {
      return `could not be started: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #line(raw: string): void {
    const line = parseLine(raw);
    for (const listener of this.#listeners) listener(line);
    const { terminal, isVerbose } = this.#options;
    const { level } = line.fields;
    const isBad = level === "warn" || level === "error";
    if (!isVerbose && !isBad) {
      this.#kept.push(shown(line));
      if (this.#kept.length > KEPT_LINES) this.#kept.shift();
      return;
    }
    const style = level === "error" ? "red" : isBad ? "yellow" : "dim";
    terminal.err(`${styledErr(terminal, style, `${this.name}: ${shown(line)}`)}\n`);
  }
}

/** A JSON line of our own programs; whatever else comes is text. */
function parseLine(raw: string): LogLine {
  try {
    const entry: unknown = JSON.parse(raw);
    if (typeof entry === "object" && entry !== null && "text" in entry) {
      return { text: String(entry.text), fields: { ...entry } };
    }
  } catch {
    // Not JSON: nats-server writes plain lines.
  }
  return { text: raw, fields: {} };
}

/** What every line has and nobody watching wants to read each time. */
const HIDDEN = new Set(["time", "level", "program", "text", "coordinator", "host"]);

function shown({ text, fields }: LogLine): string {
  const details = Object.entries(fields)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [text, ...details].join("  ");
}
