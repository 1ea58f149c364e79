/** What the benches print. */

/** Prints rows of one shape in aligned columns; the first row names them. */
export function printTable(
  rows: readonly (readonly string[])[],
  leftAligned: readonly number[] = [0],
): void {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  for (const row of rows) {
    const cells = row.map((cell, at) =>
      leftAligned.includes(at) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    console.log(cells.join("  ").trimEnd());
  }
}

/** `1.23×`, or nothing where there is nothing to compare with. */
export const times = (ratio: number | undefined): string =>
  ratio === undefined ? "" : `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`;
