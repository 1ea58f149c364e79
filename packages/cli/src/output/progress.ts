import { styled, type Terminal } from "./terminal.ts";

/** On a terminal a few lines that are drawn over; elsewhere each line that changed. */
export interface Progress extends Disposable {
  /** @param text may have several lines */
  update(text: string): void;
}

/** More would scroll away, and what has scrolled cannot be drawn over. */
const MAX_LINES = 12;

/** Progress goes beside the results, so that these can be piped. */
export const startProgress = (terminal: Terminal): Progress =>
  terminal.isErrTty ? drawnOver(terminal) : lineByLine(terminal);

function lineByLine(terminal: Terminal): Progress {
  let shown: ReadonlySet<string> = new Set();
  return {
    update(text) {
      const lines = text.split("\n");
      for (const line of lines) if (!shown.has(line)) terminal.err(`${line}\n`);
      shown = new Set(lines);
    },
    [Symbol.dispose]() {},
  };
}

const CLEAR_TO_END = "\u001b[0J";
/** To the first column of the line so many lines above. */
const up = (lines: number): string => (lines > 0 ? `\r\u001b[${lines}A` : "\r");

function drawnOver(terminal: Terminal): Progress {
  let last = "";
  const clear = (): string => up(last.split("\n").length - 1) + CLEAR_TO_END;
  return {
    update(text) {
      const next = fitted(text, terminal.columns);
      if (next === last) return;
      terminal.err(clear() + styled(terminal, "dim", next));
      last = next;
    },
    [Symbol.dispose]() {
      if (last !== "") terminal.err(clear());
    },
  };
}

function fitted(text: string, columns: number): string {
  const lines = text.split("\n");
  const kept = lines.length > MAX_LINES ? lines.slice(0, MAX_LINES - 1) : lines;
  const left = lines.length - kept.length;
  return [...kept, ...(left > 0 ? [`… and ${left} more`] : [])]
    .map((line) => (columns === 0 ? line : line.slice(0, columns - 1)))
    .join("\n");
}
