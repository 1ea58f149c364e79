import { findNodes, isNamed, isTest, packageOf, type Rule } from "./source.ts";

/**
 * What silences the compiler: `as` (but not `as const`), `<T>x`, `!` and `any`; and `.only`, which
 * silences every other test. Only the codec, where wire and model meet, and tests may cast.
 */
export const casts: Rule = (source) => {
  const mayCast = isTest(source) || packageOf(source) === "codec";
  return findNodes(source, (complain) => ({
    TSAsExpression: (node) => {
      const { typeAnnotation: type } = node;
      const isConst = type.type === "TSTypeReference" && isNamed(type.typeName, "const");
      if (!mayCast && !isConst) complain(node, "a cast: use a type predicate, or parse it");
    },
    TSTypeAssertion: (node) => complain(node, "a cast: use a type predicate, or parse it"),
    TSNonNullExpression: (node) => complain(node, "`!` hides undefined: handle it, or assert"),
    TSAnyKeyword: (node) => complain(node, "`any`: use unknown, and parse it"),
    MemberExpression: ({ object, property }) => {
      const isSuite = ["test", "it", "describe"].some((name) => isNamed(object, name));
      if (isSuite && isNamed(property, "only"))
        complain(property, "`.only` leaves out all other tests");
    },
  }));
};
