/** Runs a schema and says what is wrong in our own words: field, value, what was expected. */
import type { z } from "zod";
import { CodecError, describeProblem, type Problem } from "./codec-error.ts";

export type Path = readonly (string | number)[];

/** A problem with the path that led to it, for those who know where in a file that is. */
export type LocatedProblem = Problem & {
  readonly path: Path;
  /** True where the field's name is wrong, not its value. */
  readonly isAboutKey: boolean;
};

export type Validation<T> =
  | { readonly kind: "valid"; readonly value: T }
  | { readonly kind: "invalid"; readonly problems: readonly LocatedProblem[] };

/** Tries a schema; all problems at once. */
export function validate<T>(schema: z.ZodType<T>, input: unknown): Validation<T> {
  const result = schema.safeParse(input, { error: expectedBy });
  if (result.success) return { kind: "valid", value: result.data };
  const problems = result.error.issues
    .flatMap((issue) => located(issue, []))
    .map((found) => ({
      field: fieldOf(found.path),
      value: found.isAboutKey ? found.path.at(-1) : valueAt(input, found.path),
      ...found,
    }));
  return { kind: "invalid", problems };
}

/** @param what names the thing in the error's message: "fleet school-linux" */
export function parse<T>(schema: z.ZodType<T>, input: unknown, what: string): T {
  const result = validate(schema, input);
  if (result.kind === "valid") return result.value;
  const { problems } = result;
  throw new CodecError("invalid", `${what}: ${problems.map(describeProblem).join("; ")}`, {
    problems: problems.map(({ field, value, expected }) => ({ field, value, expected })),
  });
}

/** What was expected, where the schema itself does not say it in better words. */
function expectedBy(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return `a value of type ${issue.expected}`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "unrecognized_keys":
      return issue.keys.map(() => "no such field").join("\n");
    default:
      return undefined;
  }
}

type Issue = z.core.$ZodIssue;

type Found = Omit<LocatedProblem, "field" | "value">;

function located(issue: Issue, base: Path): Found[] {
  const path = [...base, ...issue.path.map(segment)];
  switch (issue.code) {
    case "unrecognized_keys": {
      // `strict` writes one line for each key.
      const lines = issue.message.split("\n");
      return issue.keys.map((key, index) => ({
        path: [...path, key],
        expected: lines[index] ?? issue.message,
        isAboutKey: true,
      }));
    }
    case "invalid_key":
      return [{ path, expected: issue.issues[0]?.message ?? issue.message, isAboutKey: true }];
    case "invalid_union": {
      const meant = issue.errors.filter((issues) => !issues.some(isOfWholeType));
      const [only] = meant;
      if (meant.length === 1 && only !== undefined) {
        return only.flatMap((inner) => located(inner, path));
      }
      return [{ path, expected: issue.message, isAboutKey: false }];
    }
    default:
      return [{ path, expected: issue.message, isAboutKey: false }];
  }
}

/** True where an alternative of a union does not even have the type of the value. */
const isOfWholeType = (issue: Issue): boolean =>
  issue.code === "invalid_type" && issue.path.length === 0;

const segment = (key: PropertyKey): string | number =>
  typeof key === "symbol" ? String(key) : key;

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    input,
  );
}

/** `["ports", 0, "container"]` as `ports[0].container`. */
function fieldOf(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}
