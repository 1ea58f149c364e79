/** What happened in a world, line by line, and its digest: equal for equal seeds. */
import { createHash } from "node:crypto";
import type { Log, LogFields } from "@evm/telemetry";
import { errorText } from "@evm/telemetry";
import type { Timeline } from "./timeline.ts";

export type TraceOptions = {
  readonly timeline: Timeline;
  /** Given each line as it happens. */
  readonly print: ((line: string) => void) | undefined;
  /** Called where a coordinator says that its own plan breaks an invariant. */
  readonly onRefusedPlan: (text: string) => void;
};

export class Trace {
  readonly #options: TraceOptions;
  readonly #hash = createHash("sha256");

  constructor(options: TraceOptions) {
    this.#options = options;
  }

  /** Notes a line of the world's own. */
  add(text: string): void {
    const line = `${this.#stamp()}  ${text}`;
    this.#hash.update(line);
    this.#options.print?.(line);
  }

  /** Of everything that was added so far. */
  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  /** The log of one program: part of what is printed, and not of the digest. */
  log(program: string): Log {
    const { print, onRefusedPlan } = this.#options;
    const write = (level: string, text: string, fields: LogFields) => {
      if (level === "error" && "invariant" in fields) {
        onRefusedPlan(`${program}: ${text}: ${String(fields["text"])}`);
      }
      if (print === undefined) return;
      const shown = Object.entries(fields).map(
        ([name, value]) => `${name}=${value instanceof Error ? errorText(value) : String(value)}`,
      );
      print(`${this.#stamp()}    ${program}: ${text}  ${shown.join(" ")}`);
    };
    const unread = () => undefined;
    const logWith = (own: LogFields): Log => ({
      debug: unread,
      info:
        print === undefined ? unread : (text, fields) => write("info", text, { ...own, ...fields }),
      warn:
        print === undefined ? unread : (text, fields) => write("warn", text, { ...own, ...fields }),
      error: (text, fields) => write("error", text, { ...own, ...fields }),
      child: (fields) => (print === undefined ? log : logWith({ ...own, ...fields })),
    });
    const log = logWith({});
    return log;
  }

  #stamp(): string {
    return (this.#options.timeline.nowMs / 1000).toFixed(3).padStart(9);
  }
}
