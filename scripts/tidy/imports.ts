import { posix } from "node:path";
import {
  type Finding,
  isTest,
  packageOf,
  type Reference,
  referencesOf,
  type Source,
} from "./source.ts";

/** What a package says that it depends on. */
export interface Manifest {
  /** The folder below packages/, which is also its name after `@evm/`. */
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** Who may import whom. A package that is missing here may import none of ours. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ["protocol", "codec", "fleet"],
  codec: ["fleet", "protocol"],
  store: ["fleet", "protocol", "codec"],
  coordinator: ["fleet", "protocol", "codec", "store", "telemetry"],
  agent: ["fleet", "codec", "store", "drivers", "images", "telemetry"],
  drivers: ["fleet", "libvirt", "images"],
  images: ["fleet"],
  telemetry: ["fleet"],
  sim: ["agent", "codec", "coordinator", "drivers", "fleet", "store", "telemetry"],
};

/** Third-party packages that only some of ours may know. */
const OWNERS: readonly { readonly pattern: RegExp; readonly owners: readonly string[] }[] = [
  { pattern: /^@nats-io\//, owners: ["store"] },
  { pattern: /^(@grpc\/|grpc-)/, owners: ["protocol", "coordinator", "cli"] },
  { pattern: /^dockerode$/, owners: ["drivers"] },
  { pattern: /^prom-client$/, owners: ["telemetry"] },
  { pattern: /^zod$/, owners: ["codec", "coordinator", "agent"] },
];

/** What the root offers to the tests of all packages. */
const TEST_TOOLS = new Set(["vitest", "fast-check"]);

/** The table of imports: a file imports what its package may know and says that it depends on. */
export function imports(
  sources: readonly Source[],
  manifests: readonly Manifest[],
): readonly Finding[] {
  return manifests.flatMap((manifest) => {
    const own = sources.filter((source) => packageOf(source) === manifest.name);
    return [...own.flatMap((source) => importsOf(source, manifest)), ...unused(own, manifest)];
  });
}

function importsOf(source: Source, manifest: Manifest): readonly Finding[] {
  return referencesOf(source).flatMap((reference) => {
    const message = objection(source, reference, manifest);
    return message === undefined ? [] : [{ path: source.path, line: reference.line, message }];
  });
}

function objection(
  source: Source,
  { specifier }: Reference,
  { name, dependencies, devDependencies }: Manifest,
): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  if (specifier.startsWith(".")) return leavesPackage(source, specifier, name);
  const target = packageName(specifier);
  if (isTest(source) && TEST_TOOLS.has(target)) return undefined;
  const refusal = mayKnow(name, target);
  if (refusal !== undefined) return refusal;
  if (specifier.startsWith("@evm/") && specifier !== target) return "import a package by its index";
  const declared = isTest(source) ? [...dependencies, ...devDependencies] : dependencies;
  if (declared.includes(target)) return undefined;
  return `"${target}" is not in the dependencies of packages/${name}/package.json`;
}

function leavesPackage(source: Source, specifier: string, name: string): string | undefined {
  const target = posix.join(posix.dirname(source.path), specifier);
  if (target.startsWith(`packages/${name}/`)) return undefined;
  if (isTest(source) && target.startsWith("test/support/")) return undefined;
  return `"${specifier}" leaves the package: import it by its name`;
}

function mayKnow(name: string, target: string): string | undefined {
  if (target.startsWith("@evm/")) {
    const allowed = MAY_IMPORT[name] ?? [];
    if (allowed.includes(target.slice("@evm/".length))) return undefined;
    return `${name} may import of ours: ${allowed.join(", ") || "nothing"}; not ${target}`;
  }
  const owned = OWNERS.find(({ pattern }) => pattern.test(target));
  if (owned === undefined || owned.owners.includes(name)) return undefined;
  return `only ${owned.owners.join(", ")} may know "${target}"`;
}

/** Dependencies that nothing imports. Types are for the compiler, which needs no import. */
function unused(own: readonly Source[], manifest: Manifest): readonly Finding[] {
  const path = `packages/${manifest.name}/package.json`;
  const imported = new Set(
    own.flatMap((source) => referencesOf(source).map(({ specifier }) => packageName(specifier))),
  );
  return [...manifest.dependencies, ...manifest.devDependencies]
    .filter((name) => !name.startsWith("@types/") && !imported.has(name))
    .map((name) => ({ path, line: 1, message: `nothing imports the dependency "${name}"` }));
}

/** `@scope/name/path` → `@scope/name`. */
const packageName = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
