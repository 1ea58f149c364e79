/** Where output goes and what it may look like there: a parameter, so that tests can read it. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** What is typed, or piped in. */
export type Input = Readable & {
  readonly isTTY?: boolean;
  /** On a terminal: hands on every key as it is pressed, instead of lines and signals. */
  setRawMode?(isRaw: boolean): unknown;
};

export type Terminal = {
  /** Results: what scripts read. */
  readonly out: (text: string) => void;
  /** The same for bytes that come from elsewhere; resolves once there is room for more. */
  readonly outBytes: (data: Uint8Array) => Promise<void>;
  /** Everything else: progress, warnings, errors. */
  readonly err: (text: string) => void;
  /** Whether results go to a person's terminal. */
  readonly isOutTty: boolean;
  /** Whether progress may be drawn over itself. */
  readonly isErrTty: boolean;
  /** Columns of the terminal; 0: unknown, cut nothing. */
  readonly columns: number;
  readonly hasColour: boolean;
  readonly input: Input;
};

/** The process's own terminal. Colour only there, and never with NO_COLOR set. */
export const processTerminal = (): Terminal => ({
  out: (text) => process.stdout.write(text),
  async outBytes(data) {
    if (!process.stdout.write(data)) await once(process.stdout, "drain");
  },
  err: (text) => process.stderr.write(text),
  isOutTty: process.stdout.isTTY === true,
  isErrTty: process.stderr.isTTY === true,
  columns: process.stdout.columns ?? 0,
  hasColour: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "",
  // Opened where a command reads it, and by no other.
  get input() {
    return process.stdin;
  },
});

/** `text` in a style where the terminal has colour. */
export const styled = (terminal: Terminal, style: Style, text: string): string =>
  terminal.hasColour ? styleText(style, text, { validateStream: false }) : text;

/** How many columns a text takes, colour codes left out. */
export const widthOf = (text: string): number => stripVTControlCharacters(text).length;
