import type { ESTree } from "rolldown/utils";
import { findNodes, isNamed, isTest, packageOf, type Rule, referencesOf } from "./source.ts";

/** What a pure function cannot use: time, chance, input and output, the process around it. */
const IMPURE = new Set(
  (
    "Date performance crypto process console fetch Buffer globalThis setTimeout setInterval " +
    "setImmediate clearTimeout clearInterval queueMicrotask AbortController " +
    "AbortSignal WebSocket navigator require"
  ).split(" "),
);

/** `packages/fleet` decides and does nothing else: no time, chance, log, I/O or global. */
export const purity: Rule = (source) => {
  if (packageOf(source) !== "fleet" || isTest(source)) return [];
  const globals = findNodes(source, (complain) => {
    const refuse = (node: ESTree.Node) => {
      if (node.type === "Identifier" && IMPURE.has(node.name)) {
        complain(node, `${node.name} in pure code: make what it gives a parameter`);
      }
    };
    return {
      CallExpression: (node) => refuse(node.callee),
      NewExpression: (node) => refuse(node.callee),
      MemberExpression: (node) => {
        refuse(node.object);
        if (isMember(node, "Math", "random")) complain(node, "Math.random in pure code");
      },
      TSTypeReference: ({ typeName }) => {
        if (isNamed(typeName, "Date")) refuse(typeName);
      },
    };
  });
  const imports = referencesOf(source)
    .filter(({ specifier }) => !specifier.startsWith("./") && !specifier.startsWith("../"))
    .map(({ specifier, line }) => {
      return { path: source.path, line, message: `"${specifier}" imported into pure code` };
    });
  return [...globals, ...imports];
};

/** Files that give the real clock and the real random source to everything else. */
const SOURCES_OF_TIME = /\/(main|clock)\.ts$/;

/** Time and chance are parameters everywhere: a simulated world must be able to give them. */
export const injected: Rule = (source) => {
  const { path } = source;
  const isExempt = packageOf(source) === undefined || isTest(source) || SOURCES_OF_TIME.test(path);
  if (isExempt) return [];
  return findNodes(source, (complain) => ({
    MemberExpression: (node) => {
      if (isMember(node, "Math", "random"))
        complain(node, "Math.random: take `random` as a parameter");
      if (isMember(node, "Date", "now") || isMember(node, "performance", "now")) {
        complain(node, "the time of day: take `clock` as a parameter");
      }
    },
    NewExpression: (node) => {
      const isNow = node.arguments.length === 0;
      if (isNow && node.callee.type === "Identifier" && node.callee.name === "Date") {
        complain(node, "new Date() is the time of day: take `clock` as a parameter");
      }
    },
  }));
};

const isMember = (node: ESTree.MemberExpression, object: string, property: string): boolean =>
  node.object.type === "Identifier" &&
  node.object.name === object &&
  node.property.type === "Identifier" &&
  node.property.name === property;
