import { posix } from "node:path";
import { type Finding, referencesOf, type Source } from "./source.ts";

/** Files that are run or found by their name, and need nobody to import them. */
const ENTRY =
  /(^|\/)(index|main|setup|property-seed)\.ts$|\.test\.ts$|\.config\.ts$|^(scripts\/[^/]+\.ts$|test\/bench\/)/;

/** Files that no other file names. */
export function deadFiles(sources: readonly Source[]): readonly Finding[] {
  const named = new Set(
    sources.flatMap((source) =>
      referencesOf(source)
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => posix.join(posix.dirname(source.path), specifier)),
    ),
  );
  return sources
    .filter(({ path }) => !ENTRY.test(path) && !named.has(path))
    .map(({ path }) => ({ path, line: 1, message: "no other file imports this one" }));
}
