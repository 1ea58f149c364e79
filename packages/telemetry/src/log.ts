/** One line per decision or failure: JSON for machines, words for a person at a terminal. */
import { inspect } from "node:util";
import type { Instant } from "@evm/fleet";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = { readonly [name: string]: unknown };

export interface Log {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  /** @param fields an `error` in them is written as its message with those of its causes */
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  child(fields: LogFields): Log;
}

export type LogOptions = {
  readonly program: string;
  /** Lines below this level are left out. */
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Given whole lines, their newline included. */
  readonly write: (line: string) => void;
  readonly now: () => Instant;
};

/** Makes the log of a program. */
export const createLog = (options: LogOptions): Log => new LineLog(options, {});

class LineLog implements Log {
  readonly #options: LogOptions;
  readonly #fields: LogFields;

  constructor(options: LogOptions, fields: LogFields) {
    this.#options = options;
    this.#fields = fields;
  }

  debug(text: string, fields?: LogFields): void {
    this.#write("debug", text, fields);
  }

  info(text: string, fields?: LogFields): void {
    this.#write("info", text, fields);
  }

  warn(text: string, fields?: LogFields): void {
    this.#write("warn", text, fields);
  }

  error(text: string, fields?: LogFields): void {
    this.#write("error", text, fields);
  }

  child(fields: LogFields): Log {
    return new LineLog(this.#options, { ...this.#fields, ...fields });
  }

  #write(level: LogLevel, text: string, fields: LogFields = {}): void {
    const { program, now, format, write } = this.#options;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#options.level)) return;
    const time = new Date(now()).toISOString();
    const all = { ...this.#fields, ...fields };
    write(`${format === "json" ? json({ time, level, program, text, ...all }) : line()}\n`);

    function line(): string {
      const shown = Object.entries(all)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${plain(value)}`);
      return [time.slice(11, 23), level.padEnd(5), text, ...shown].join("  ");
    }
  }
}

const json = (entry: LogFields): string =>
  JSON.stringify(entry, (_name, value: unknown) => {
    if (value instanceof Error) return errorText(value);
    return typeof value === "bigint" ? value.toString() : value;
  });

function plain(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(errorText(value));
  if (typeof value === "string") return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
}

/** The message of an error, followed by those of its causes that it does not already repeat. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === "" ? error.name : error.message;
  if (error.cause === undefined) return text;
  const cause = errorText(error.cause);
  const repeated = error.cause instanceof Error ? error.cause.message : "";
  if (repeated !== "" && text.endsWith(repeated)) return text.slice(0, -repeated.length) + cause;
  return text.includes(cause) ? text : `${text}: ${cause}`;
}
