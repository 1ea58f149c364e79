import { styledErr, type Terminal } from "./terminal.ts";

/** On a terminal a few lines that are drawn over; elsewhere what changed, now and then. */
export interface Progress extends Disposable {
  /** @param text how things stand; may have several lines */
  update(text: string): void;
  /** Shows what happened, whatever follows it; once, where it happens again and again. */
  tell(text: string): void;
}

/** More would scroll away, and what has scrolled cannot be drawn over. */
const MAX_LINES = 12;
/** A log of many instances stays readable: a hundred become ready one by one. */
const LOG_INTERVAL_MS = 2_000;
/** Steps that are mostly done sooner are not worth a line. */
const QUIET_MS = 1_000;

/** Progress goes beside the results, so that these can be piped. */
export const startProgress = (terminal: Terminal): Progress =>
  terminal.isErrTty ? drawnOver(terminal) : lineByLine(terminal);

/** The same for steps that are mostly over at once: shows nothing of those that are. */
export function startQuietProgress(terminal: Terminal): Progress {
  const progress = startProgress(terminal);
  let text: string | undefined;
  let isQuiet = true;
  const timer = setTimeout(() => {
    isQuiet = false;
    if (text !== undefined) progress.update(text);
  }, QUIET_MS);
  return {
    update(next) {
      text = next;
      if (!isQuiet) progress.update(text);
    },
    tell: progress.tell,
    [Symbol.dispose]() {
      clearTimeout(timer);
      progress[Symbol.dispose]();
    },
  };
}

function lineByLine(terminal: Terminal): Progress {
  let shown: ReadonlySet<string> = new Set();
  let told = "";
  let waiting: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const print = (): void => {
    const lines = waiting?.split("\n") ?? [];
    for (const line of lines) if (!shown.has(line)) terminal.err(`${line}\n`);
    if (waiting !== undefined) shown = new Set(lines);
    waiting = undefined;
  };
  const printNowAndThen = (): void => {
    const isOver = waiting === undefined;
    print();
    timer = isOver ? undefined : setTimeout(printNowAndThen, LOG_INTERVAL_MS);
  };
  return {
    update(text) {
      waiting = text;
      if (timer === undefined) printNowAndThen();
    },
    tell(text) {
      if (text !== told) terminal.err(`${text}\n`);
      told = text;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      print();
    },
  };
}

const CLEAR_TO_END = "\u001b[0J";
/** To the first column of the line so many lines above. */
const up = (lines: number): string => (lines > 0 ? `\r\u001b[${lines}A` : "\r");

function drawnOver(terminal: Terminal): Progress {
  let last = "";
  const clear = (): string => up(last.split("\n").length - 1) + CLEAR_TO_END;
  const update = (text: string): void => {
    const next = fitted(text, terminal.columns);
    if (next === last) return;
    terminal.err(clear() + styledErr(terminal, "dim", next));
    last = next;
  };
  return {
    update,
    tell: update,
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
