import { describe, expect, test } from "vitest";
import { casts } from "./tidy/casts.ts";
import { deadFiles } from "./tidy/dead-files.ts";
import { imports, type Manifest } from "./tidy/imports.ts";
import { injected, purity } from "./tidy/purity.ts";
import { sizes } from "./tidy/sizes.ts";
import { type Finding, parseSource, referencesOf } from "./tidy/source.ts";

const FLEET = "packages/fleet/src/place.ts";
const STORE = "packages/store/src/commit.ts";

const messages = (findings: readonly Finding[]) => findings.map(({ message }) => message);
const lines = (count: number) => "f();\n".repeat(count);

describe("casts", () => {
  const inStore = (text: string) => messages(casts(parseSource(STORE, text)));

  test.each([
    ["a = b as Fleet;", "a cast"],
    ["a = <Fleet>b;", "a cast"],
    ["a = b!.c;", "`!` hides"],
    ["function f(x: any) {}", "`any`"],
    ["test.only('x', () => {});", "`.only`"],
  ])("refuses %s", (text, message) => {
    expect(inStore(text)).toEqual([expect.stringContaining(message)]);
  });

  test.each([
    "a = ['x'] as const;",
    "a = b satisfies Fleet;",
    "import { a as b } from './c.ts';",
    "if (!a) f(); // as any",
    "a = 'x as any';",
    "items.only(1);",
  ])("accepts %s", (text) => {
    expect(inStore(text)).toEqual([]);
  });

  test("lets the codec and tests cast, but not with `any` or `!`", () => {
    for (const path of [
      "packages/codec/src/wire.ts",
      "packages/store/src/commit.test.ts",
      "packages/store/src/world.testing.ts",
      "packages/store/src/contract/hosts.ts",
      "packages/drivers/src/contract-suite.ts",
      "packages/libvirt/test/libvirtd.ts",
    ]) {
      expect(casts(parseSource(path, "a = b as Fleet;"))).toEqual([]);
      expect(casts(parseSource(path, "a = b!; c = d as any;"))).toHaveLength(2);
    }
  });
});

describe("purity of fleet", () => {
  test.each([
    "a = Date.now();",
    "a = new Date(0);",
    "let a: Date;",
    "a = Math.random();",
    "process.exit(1);",
    "console.log(1);",
    "setTimeout(f, 1);",
    "import { join } from 'node:path';",
    "export { z } from 'zod';",
    "type A = import('@evm/codec').A;",
  ])("refuses %s", (text) => {
    expect(purity(parseSource(FLEET, text))).toHaveLength(1);
  });

  test.each([
    "a = Math.floor(b);",
    "a = plan.process;",
    "const a = { console: 1 };",
    "interface Clock { sleep(ms: number, signal: AbortSignal): Promise<void> }",
    "import { b } from './rules/memory.ts';",
  ])("accepts %s", (text) => {
    expect(purity(parseSource(FLEET, text))).toEqual([]);
  });

  test("lets its tests and other packages use what they like", () => {
    const text = "import { join } from 'node:path'; a = setTimeout(f, 1);";
    expect(purity(parseSource("packages/fleet/src/place.test.ts", text))).toEqual([]);
    expect(purity(parseSource(STORE, text))).toEqual([]);
  });
});

describe("injected time and chance", () => {
  test.each(["Math.random();", "Date.now();", "performance.now();", "new Date();"])(
    "refuses %s outside main.ts, clock.ts and tests",
    (text) => {
      expect(injected(parseSource(STORE, text))).toHaveLength(1);
      for (const path of [
        "packages/agent/src/main.ts",
        "packages/telemetry/src/clock.ts",
        "packages/store/src/commit.test.ts",
        "scripts/check.ts",
      ]) {
        expect(injected(parseSource(path, text))).toEqual([]);
      }
    },
  );

  test.each(["new Date(instant);", "clock.now();", "new Date(a).toISOString();"])(
    "accepts %s",
    (text) => {
      expect(injected(parseSource(STORE, text))).toEqual([]);
    },
  );
});

describe("sizes", () => {
  const sizesOf = (path: string, text: string) => messages(sizes(parseSource(path, text)));

  test("a source file may have 400 lines, a test 800", () => {
    expect(sizesOf(STORE, lines(400))).toEqual([]);
    expect(sizesOf(STORE, lines(401))).toEqual([expect.stringContaining("401 lines")]);
    expect(sizesOf("packages/store/src/a.test.ts", lines(800))).toEqual([]);
    expect(sizesOf("packages/store/src/a.test.ts", lines(801))).toHaveLength(1);
  });

  test("a function may have 70 lines, however it is written", () => {
    expect(sizesOf(STORE, `function a() {\n${lines(68)}}`)).toEqual([]);
    for (const head of ["function a()", "const a = () =>", "const a = function ()"]) {
      expect(sizesOf(STORE, `${head} {\n${lines(69)}}`)).toEqual([
        expect.stringContaining("a function of 71 lines"),
      ]);
    }
    expect(sizesOf(STORE, `class A {\n  a() {\n${lines(69)}}\n}`)).toHaveLength(1);
  });

  test("a suite of tests is not a function to be read as one", () => {
    expect(sizesOf(STORE, `describe("a", () => {\ntest("b", f);\n${lines(90)}});`)).toEqual([]);
    expect(sizesOf(STORE, `test("b", () => {\n${lines(90)}});`)).toHaveLength(1);
  });

  test("a line may have 100 columns, unless it is one unbreakable token", () => {
    expect(sizesOf(STORE, `// ${"x".repeat(97)}`)).toEqual([]);
    expect(sizesOf(STORE, `// ${"x".repeat(98)}`)).toHaveLength(1);
    expect(sizesOf(STORE, `  "${"x".repeat(120)}"`)).toEqual([]);
  });
});

describe("the table of imports", () => {
  const manifest = (name: string, ...dependencies: string[]): Manifest => ({
    name,
    dependencies,
    devDependencies: [],
  });
  const check = (path: string, text: string, ...manifests: Manifest[]) =>
    messages(imports([parseSource(path, text)], manifests));

  test("lets a package import what it may know and says that it depends on", () => {
    const text = "import { a } from '@evm/fleet'; import { b } from '@nats-io/kv/x';";
    expect(check(STORE, text, manifest("store", "@evm/fleet", "@nats-io/kv"))).toEqual([]);
  });

  test("refuses a package that may not be known, declared or not", () => {
    const text = "import type { a } from '@evm/drivers';";
    expect(check(STORE, text, manifest("store", "@evm/drivers"))).toEqual([
      "store may import of ours: fleet, protocol, codec; not @evm/drivers",
    ]);
  });

  test("refuses a third-party package to all but its owners", () => {
    const text = "import { a } from '@nats-io/kv';";
    const path = "packages/agent/src/converge.ts";
    expect(check(path, text, manifest("agent", "@nats-io/kv"))).toEqual([
      'only store may know "@nats-io/kv"',
    ]);
  });

  test("refuses what is not declared, and a dependency that nothing imports", () => {
    expect(check(STORE, "import { a } from 'yaml';", manifest("store"))).toEqual([
      '"yaml" is not in the dependencies of packages/store/package.json',
    ]);
    expect(check(STORE, "f();", manifest("store", "yaml", "@types/yaml"))).toEqual([
      'nothing imports the dependency "yaml"',
    ]);
  });

  test("refuses a path out of the package, except to what tests share", () => {
    const text = "import { a } from '../../../test/support/requires.ts';";
    expect(check("packages/store/src/commit.test.ts", text, manifest("store"))).toEqual([]);
    expect(check(STORE, text, manifest("store"))).toEqual([expect.stringContaining("leaves")]);
    const other = "import { a } from '../../fleet/src/place.ts';";
    expect(check(STORE, other, manifest("store"))).toEqual([expect.stringContaining("leaves")]);
  });

  test("refuses a path into another package of ours", () => {
    const text = "import { a } from '@evm/fleet/src/place.ts';";
    expect(check(STORE, text, manifest("store", "@evm/fleet"))).toEqual([
      "import a package by its index",
    ]);
  });
});

describe("dead files", () => {
  const sources = (files: Readonly<Record<string, string>>) =>
    Object.entries(files).map(([path, text]) => parseSource(path, text));

  test("finds a file that no other file names", () => {
    const files = sources({ [STORE]: "", "packages/store/src/index.ts": "" });
    expect(deadFiles(files).map(({ path }) => path)).toEqual([STORE]);
  });

  test("knows every way to name a file", () => {
    for (const text of [
      "import { a } from './commit.ts';",
      "import './commit.ts';",
      "export * from './commit.ts';",
      "await import('./commit.ts');",
      "type A = import('./commit.ts').A;",
      "new Worker(new URL('./commit.ts', import.meta.url));",
    ]) {
      expect(deadFiles(sources({ [STORE]: "", "packages/store/src/index.ts": text }))).toEqual([]);
    }
  });
});

test("references carry the line on which they stand", () => {
  const source = parseSource(STORE, "f();\n\nexport { a } from './b.ts';");
  expect(referencesOf(source)).toEqual([{ specifier: "./b.ts", line: 3 }]);
});

test("a file that is not TypeScript is refused by its name", () => {
  expect(() => parseSource(STORE, "const = 1;")).toThrow(`parse ${STORE}: `);
});
