import { type ESTree, Visitor } from "rolldown/utils";
import { type Finding, findNodes, isTest, lineAt, type Rule, type Source } from "./source.ts";

/** What a reader can hold in mind; tests are read case by case. */
const MAX_FILE_LINES = 400;
const MAX_TEST_FILE_LINES = 800;
const MAX_FUNCTION_LINES = 70;
const MAX_COLUMNS = 100;

/** Files, functions and lines of a size that a person can read. */
export const sizes: Rule = (source) => [
  ...fileLength(source),
  ...longLines(source),
  ...longFunctions(source),
];

function fileLength(source: Source): readonly Finding[] {
  const limit = isTest(source) ? MAX_TEST_FILE_LINES : MAX_FILE_LINES;
  const lines = source.text.trimEnd().split("\n").length;
  if (lines <= limit) return [];
  const message = `${lines} lines; a file may have ${limit}: split it by what it is about`;
  return [{ path: source.path, line: limit, message }];
}

/** A line of one unbreakable token (a digest, an address) may be longer. */
function longLines({ path, text }: Source): readonly Finding[] {
  return text.split("\n").flatMap((content, index) => {
    if (content.length <= MAX_COLUMNS || !content.trim().includes(" ")) return [];
    return [
      { path, line: index + 1, message: `${content.length} columns; ${MAX_COLUMNS} at most` },
    ];
  });
}

function longFunctions(source: Source): readonly Finding[] {
  const suites = positionsOfTests(source);
  return findNodes(source, (complain) => {
    const measure = (node: ESTree.Span) => {
      const lines = lineAt(source, node.end) - lineAt(source, node.start) + 1;
      // A suite is a list of tests and not a function to be read as one.
      const isSuite = suites.some((position) => node.start < position && position < node.end);
      if (lines > MAX_FUNCTION_LINES && !isSuite) {
        complain(node, `a function of ${lines} lines; ${MAX_FUNCTION_LINES} at most`);
      }
    };
    return {
      FunctionDeclaration: measure,
      FunctionExpression: measure,
      ArrowFunctionExpression: measure,
    };
  });
}

function positionsOfTests(source: Source): readonly number[] {
  const positions: number[] = [];
  new Visitor({
    CallExpression: ({ callee, start }) => {
      const target = callee.type === "MemberExpression" ? callee.object : callee;
      if (target.type !== "Identifier") return;
      if (["test", "it", "describe", "describeIf"].includes(target.name)) positions.push(start);
    },
  }).visit(source.program);
  return positions;
}
