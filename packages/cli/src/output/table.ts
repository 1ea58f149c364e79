import { styled, type Terminal, widthOf } from "./terminal.ts";

export type Column<Row> = {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Numbers stand at the right. */
  readonly align?: "right";
};

const GAP = "  ";

/** Rows under their titles, aligned; without rows the `empty` text. Ends in a newline. */
export function table<Row>(
  terminal: Terminal,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
): string {
  if (rows.length === 0) return `${empty}\n`;
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((line) => widthOf(line[at] ?? ""))),
  );
  const line = (texts: readonly string[]): string =>
    columns
      .map((column, at) => pad(texts[at] ?? "", widths[at] ?? 0, column.align ?? "left"))
      .join(GAP)
      .trimEnd();
  const titles = line(columns.map((column) => column.title));
  return `${[styled(terminal, "bold", titles), ...cells.map(line)].join("\n")}\n`;
}

function pad(text: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? space + text : text + space;
}
