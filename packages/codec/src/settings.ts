/** Settings of a program: a YAML file, with environment variables over it, validated at start. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { CodecError, describeProblem, type Problem } from "./codec-error.ts";
import { validate } from "./validate.ts";

export type SettingsSource = {
  /** Undefined: no file. */
  readonly file: string | undefined;
  readonly environment: { readonly [name: string]: string | undefined };
  /**
   * `EVM_AGENT_`: then `EVM_AGENT_STATE_DIR` sets `stateDir`, and `EVM_AGENT_METRICS__PORT` sets
   * `port` in `metrics`. Values are YAML, so that `8080` is a number and `[a, b]` a list.
   */
  readonly prefix: string;
};

/** Reads, merges and validates; throws one `CodecError` that names every problem and its source. */
export function loadSettings<T>(schema: z.ZodType<T>, source: SettingsSource): T {
  const variables = variablesOf(source);
  const merged = variables.reduce(
    (settings, { path, value }) => withValue(settings, path, value),
    source.file === undefined ? {} : fileSettings(source.file),
  );
  const result = validate(schema, merged);
  if (result.kind === "valid") return result.value;
  const origin = (field: string): string =>
    variables.find(({ path }) => isWithin(field, path.join(".")))?.name ??
    source.file ??
    "settings";
  const lines = result.problems.map((p) => `${origin(p.field)}: ${describeProblem(p)}`);
  throw new CodecError("invalid", lines.join("\n"), { problems: result.problems });
}

type Settings = { readonly [name: string]: unknown };
type Variable = {
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
};

const isSettings = (value: unknown): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isWithin = (field: string, path: string): boolean =>
  field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`);

function fileSettings(file: string): Settings {
  const value = yaml(file, () => readFileSync(file, "utf8")) ?? {};
  if (isSettings(value)) return value;
  const problem: Problem = { field: "", value, expected: "names and their values" };
  throw new CodecError("invalid", `${file}: ${describeProblem(problem)}`, { problems: [problem] });
}

function variablesOf({ environment, prefix }: SettingsSource): readonly Variable[] {
  return Object.entries(environment).flatMap(([name, text]) => {
    if (!name.startsWith(prefix) || text === undefined) return [];
    const path = name.slice(prefix.length).split("__").map(camelCase);
    return [{ name, path, value: yaml(name, () => text) }];
  });
}

function yaml(origin: string, read: () => string): unknown {
  try {
    return parseYaml(read());
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new CodecError("invalid", `${origin}: ${text}`, { cause: error });
  }
}

const camelCase = (name: string): string =>
  name.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function withValue(settings: Settings, path: readonly string[], value: unknown): Settings {
  const [name = "", ...rest] = path;
  if (rest.length === 0) return { ...settings, [name]: value };
  const inner = settings[name];
  return { ...settings, [name]: withValue(isSettings(inner) ? inner : {}, rest, value) };
}
