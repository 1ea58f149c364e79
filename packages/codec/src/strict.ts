/** Objects that an operator types: unknown fields are refused, with a guess at what was meant. */
import { z } from "zod";

/**
 * @param expected says what the object is, for where there is something else
 * @param hints what to say of certain unknown fields
 */
export function strict<Shape extends z.ZodRawShape>(
  shape: Shape,
  expected: string,
  hints: { readonly [field: string]: string } = {},
) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    // One line for each key: `validate` takes them apart again.
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => hints[key] ?? fieldsInstead(key, known)).join("\n")
        : expected,
  });
}

/** For `refine`; also judged where other fields are wrong, so that all problems come at once. */
export function exactlyOne(...fields: readonly string[]) {
  const isOne = (typed: object) =>
    fields.filter((field) => Reflect.get(typed, field) !== undefined).length === 1;
  const when = ({ value }: { readonly value: unknown }) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return [isOne, { error: `exactly one of ${fields.join(", ")}`, when }] as const;
}

function fieldsInstead(key: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .reduce((best, next) => (next.distance < best.distance ? next : best));
  const isNear = nearest.distance <= Math.max(1, Math.floor(key.length / 3));
  return `a known field: ${known.join(", ")}${isNear ? ` (did you mean ${nearest.name}?)` : ""}`;
}

/** How many letters must be added, removed, changed or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let row = 1; row <= a.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      rows[row]?.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + cost,
          row > 1 && column > 1 && isSwap ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}
