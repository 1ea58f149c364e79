/** The fleet file: YAML (so JSON too), one fleet per document, every problem at its place. */
import { dirname, resolve } from "node:path";
import type { Digest, FleetName, FleetSpec } from "@evm/fleet";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from "yaml";
import { describeProblem, type Problem } from "./codec-error.ts";
import type { BuildSource } from "./container-schema.ts";
import { type FleetDraft, fleetDraft } from "./file-schema.ts";
import { type LocatedProblem, type Path, validate } from "./validate.ts";

/** @param file its name, for messages, and the place from which its folders are found */
export type FleetFile = { readonly file: string; readonly text: string };

/** What is wrong, and where. */
export type FileProblem = Problem & {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
};

/** A fleet, or one that still waits for its folder to be packed. */
export type ParsedFleet =
  | { readonly kind: "complete"; readonly name: FleetName; readonly spec: FleetSpec }
  | (Omit<Extract<FleetDraft, { kind: "build" }>, "source"> & {
      readonly name: FleetName;
      /** `folder` is absolute. */
      readonly buildContext: BuildSource;
    });

export type ParsedFleets =
  | { readonly kind: "ok"; readonly fleets: readonly ParsedFleet[] }
  | { readonly kind: "invalid"; readonly problems: readonly FileProblem[] };

/** Written by hand, a file does not come near this; a wrong file given by mistake does. */
const MAX_FILE_LENGTH = 4 * 1024 * 1024;
/** Aliases multiply: a few lines of them can ask for gigabytes. */
const MAX_ALIASES = 100;

/** Reads one file; see `parseFleetFiles`. */
export const parseFleetFile = (file: FleetFile): ParsedFleets => parseFleetFiles([file]);

/** Reads all documents of all files. One problem anywhere, and there are only problems. */
export function parseFleetFiles(files: readonly FleetFile[]): ParsedFleets {
  const documents = files.flatMap((file) => parseDocuments(file));
  const problems = [
    ...documents.flatMap((document) => document.problems),
    ...duplicates(documents.flatMap((document) => document.names)),
  ].sort(inReadingOrder(files));
  if (problems.length > 0) return { kind: "invalid", problems };
  return { kind: "ok", fleets: documents.flatMap(({ fleet }) => fleet ?? []) };
}

/** The fleet, once its folder is packed and stored under `context`. */
export function resolveBuild(
  { fleet, template, buildContext }: Extract<ParsedFleet, { kind: "build" }>,
  context: Digest,
): FleetSpec {
  const source = { kind: "build", context, dockerfile: buildContext.dockerfile } as const;
  return { ...fleet, template: { ...template, source } };
}

/** The problem as one line: `school.yaml:3:11: replicas: "four"; expected a whole number …`. */
export const describeFileProblem = (problem: FileProblem): string =>
  `${problem.file}:${problem.line}:${problem.column}: ${describeProblem(problem)}`;

type Place = Pick<FileProblem, "file" | "line" | "column">;

/** What came of one document: its fleet, or its problems; its name either way. */
type Parsed = {
  readonly fleet: ParsedFleet | undefined;
  readonly problems: readonly FileProblem[];
  readonly names: readonly { readonly name: string; readonly place: Place }[];
};

function parseDocuments({ file, text }: FleetFile): readonly Parsed[] {
  const whole = (value: unknown, expected: string): Parsed[] => [
    refused([{ file, line: 1, column: 1, field: "", value, expected }]),
  ];
  if (text.length > MAX_FILE_LENGTH) {
    return whole(`${text.length} characters`, `at most ${MAX_FILE_LENGTH}`);
  }
  const lines = new LineCounter();
  const options = { lineCounter: lines, prettyErrors: false, merge: true };
  const documents = [...parseAllDocuments(text, options)].filter(
    ({ contents, errors }) => errors.length > 0 || (contents !== null && !isEmpty(contents)),
  );
  if (documents.length === 0) return whole(undefined, "at least one fleet");
  return documents.map((document) => parseDocument(document, { file, text }, lines));
}

const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null;

const refused = (problems: readonly FileProblem[]): Parsed => ({
  fleet: undefined,
  problems,
  names: [],
});

function parseDocument(document: Document, { file, text }: FleetFile, lines: LineCounter): Parsed {
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const notYaml = (offset: number, reason: string): FileProblem => {
    const place = placeAt(offset);
    // Empty at the end of what is cut off.
    const value = text.split("\n")[place.line - 1]?.trim() || undefined;
    return { ...place, field: "", value, expected: `valid YAML (${reason})` };
  };
  if (document.errors.length > 0) {
    return refused(document.errors.map(({ message, pos }) => notYaml(pos[0], message)));
  }
  const content = contentOf(document);
  if (content.kind === "invalid") {
    return refused([notYaml(document.contents?.range?.[0] ?? 0, content.reason)]);
  }
  const result = validate(fleetDraft, content.value);
  const problems = result.kind === "valid" ? [] : result.problems;
  const name = document.getIn(["name"]);
  return {
    fleet: result.kind === "valid" ? parsedFleet(result.value, file) : undefined,
    problems: problems.map(({ field, value, expected, ...where }) => ({
      ...placeAt(offsetOf(document, where)),
      ...{ field, value, expected },
    })),
    names:
      typeof name === "string"
        ? [{ name, place: placeAt(offsetOf(document, { path: ["name"], isAboutKey: false })) }]
        : [],
  };
}

function contentOf(
  document: Document,
):
  | { readonly kind: "valid"; readonly value: unknown }
  | { readonly kind: "invalid"; readonly reason: string } {
  try {
    return { kind: "valid", value: document.toJS({ maxAliasCount: MAX_ALIASES }) };
  } catch (error) {
    return { kind: "invalid", reason: error instanceof Error ? error.message : String(error) };
  }
}

function parsedFleet(draft: FleetDraft, file: string): ParsedFleet {
  if (draft.kind === "complete") return { ...draft, name: draft.spec.name };
  const { fleet, template, source } = draft;
  const folder = resolve(dirname(file), source.folder);
  const buildContext = { folder, dockerfile: source.dockerfile };
  return { kind: "build", name: fleet.name, buildContext, fleet, template };
}

/** Where the field begins; for one that is missing, the nearest that is around it. */
function offsetOf(document: Document, where: Pick<LocatedProblem, "path" | "isAboutKey">): number {
  const steps = stepsTo(document, where.path);
  const last = steps.at(-1);
  if (last === undefined) return 0;
  const isWhole = steps.length === where.path.length + 1;
  return (isWhole && where.isAboutKey ? last.key : undefined) ?? last.value;
}

/** Offsets of a node and, in a map, of its key. */
type Step = { readonly key: number | undefined; readonly value: number };

function stepsTo(document: Document, path: Path): readonly Step[] {
  const steps: Step[] = [];
  let node: unknown = document.contents;
  let key: unknown;
  for (const part of [...path, undefined]) {
    const value = startOf(node) ?? startOf(key);
    if (value === undefined) return steps;
    steps.push({ key: startOf(key), value });
    const target = isAlias(node) ? node.resolve(document) : node;
    const item = isSeq(target)
      ? target.items[Number(part)]
      : isMap(target)
        ? target.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === part)
        : undefined;
    [key, node] = isPair(item) ? [item.key, item.value] : [undefined, item];
  }
  return steps;
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);

/** Every name after the first of its kind. */
function duplicates(names: Parsed["names"]): readonly FileProblem[] {
  const first = new Map<string, Place>();
  return names.flatMap(({ name, place }) => {
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, place);
      return [];
    }
    const expected = `another name: ${before.file}:${before.line} has a fleet of this one`;
    return [{ ...place, field: "name", value: name, expected }];
  });
}

function inReadingOrder(files: readonly FleetFile[]) {
  const order = new Map(files.map(({ file }, index) => [file, index]));
  const position = ({ file }: Place) => order.get(file) ?? 0;
  return (a: Place, b: Place): number =>
    position(a) - position(b) || a.line - b.line || a.column - b.column;
}
