import { type ESTree, parseSync, Visitor, type VisitorObject } from "rolldown/utils";

/** One TypeScript file of the repository, parsed. */
export interface Source {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly program: ESTree.Program;
}

/** A breach of a house rule. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** A rule that looks at one file at a time. */
export type Rule = (source: Source) => readonly Finding[];

/** Parses one file; throws if it is not TypeScript. */
export function parseSource(path: string, text: string): Source {
  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new SyntaxError(`parse ${path}: ${error.message}`);
  return { path, text, program };
}

/** Walks over a file; what the visitor complains about becomes a finding at the node's line. */
export function findNodes(
  source: Source,
  visitor: (complain: (node: ESTree.Span, message: string) => void) => VisitorObject,
): readonly Finding[] {
  const findings: Finding[] = [];
  const complain = (node: ESTree.Span, message: string) => {
    findings.push({ path: source.path, line: lineAt(source, node.start), message });
  };
  new Visitor(visitor(complain)).visit(source.program);
  return findings;
}

/** The line, counted from 1, of an offset into a file. */
export function lineAt(source: Source, offset: number): number {
  return source.text.slice(0, offset).split("\n").length;
}

const TEST = /\.(test|testing)\.ts$|(^|\/)test\/|\/contract(\/|\.ts$|-[a-z-]+\.ts$)/;

/** A test, or what only tests use: `*.testing.ts`, `test` folders and contract suites. */
export const isTest = ({ path }: Source): boolean => TEST.test(path);

/** The name of the package that a file belongs to, or undefined outside packages/. */
export const packageOf = ({ path }: Source): string | undefined =>
  /^packages\/([^/]+)\//.exec(path)?.[1];

/** A reference from one file to a module: `import`, `export … from`, a type's import, a URL. */
export interface Reference {
  readonly specifier: string;
  readonly line: number;
}

/** All modules that a file names. */
export function referencesOf(source: Source): readonly Reference[] {
  const references: Reference[] = [];
  const add = (node: ESTree.Span, value: unknown) => {
    if (typeof value !== "string") return;
    references.push({ specifier: value, line: lineAt(source, node.start) });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node, node.source.value),
    ExportAllDeclaration: (node) => add(node, node.source.value),
    ExportNamedDeclaration: (node) => add(node, node.source?.value),
    ImportExpression: (node) => add(node, literal(node.source)),
    TSImportType: (node) => add(node, node.source.value),
    // A file that is run and not imported: new URL("./worker.ts", import.meta.url)
    NewExpression: (node) => {
      const [file] = node.arguments;
      if (isNamed(node.callee, "URL") && file !== undefined) add(node, literal(file));
    },
  }).visit(source.program);
  return references;
}

const literal = (node: ESTree.Node): unknown => (node.type === "Literal" ? node.value : undefined);

/** Whether an expression is this plain identifier. */
export const isNamed = (node: ESTree.Node, name: string): boolean =>
  node.type === "Identifier" && node.name === name;
