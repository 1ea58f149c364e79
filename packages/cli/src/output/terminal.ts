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
  /** Of results. */
  readonly hasColour: boolean;
  /** Of everything else. */
  readonly hasErrColour: boolean;
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
  hasColour: process.stdout.isTTY === true && isColourWanted(),
  hasErrColour: process.stderr.isTTY === true && isColourWanted(),
  // Opened where a command reads it, and by no other.
  get input() {
    return process.stdin;
  },
});

const isColourWanted = (): boolean => (process.env["NO_COLOR"] ?? "") === "";

/** `text` of a result in a style, where results have colour. */
export const styled = (
  { hasColour }: Pick<Terminal, "hasColour">,
  style: Style,
  text: string,
): string => (hasColour ? styleText(style, text, { validateStream: false }) : text);

/** The same for what goes beside the results. */
export const styledErr = ({ hasErrColour }: Terminal, style: Style, text: string): string =>
  styled({ hasColour: hasErrColour }, style, text);

/** How many columns a text takes, colour codes left out. */
export const widthOf = (text: string): number => stripVTControlCharacters(text).length;
