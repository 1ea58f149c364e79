/** House rules that a linter cannot say. Prints every breach, and ends with 1 if there is one. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { casts } from "./tidy/casts.ts";
import { deadFiles } from "./tidy/dead-files.ts";
import { imports, type Manifest } from "./tidy/imports.ts";
import { injected, purity } from "./tidy/purity.ts";
import { sizes } from "./tidy/sizes.ts";
import { parseSource, type Source } from "./tidy/source.ts";

process.chdir(new URL("..", import.meta.url).pathname);

const sources = readSources();
const findings = [
  ...sources.filter(isHandwritten).flatMap((source) => {
    return [casts, injected, purity, sizes].flatMap((rule) => rule(source));
  }),
  ...imports(sources, readManifests()),
  ...deadFiles(sources.filter(isHandwritten)),
];
for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`);
console.log(`${sources.length} files, ${findings.length} breaches of the house rules`);
process.exitCode = findings.length === 0 ? 0 : 1;

/** Everything that git would commit. */
function readSources(): readonly Source[] {
  return listFiles("*.ts").map((path) => parseSource(path, readFileSync(path, "utf8")));
}

function isHandwritten({ path }: Source): boolean {
  return !path.includes("/gen/");
}

function readManifests(): readonly Manifest[] {
  return listFiles("packages/*/package.json").map((path) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(path, "utf8"));
    return {
      name: path.split("/")[1] ?? "",
      dependencies: Object.keys(dependencies),
      devDependencies: Object.keys(devDependencies),
    };
  });
}

function listFiles(pattern: string): readonly string[] {
  const arguments_ = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern];
  const existing = execFileSync("git", [...arguments_, "--deduplicate"], { encoding: "utf8" });
  const deleted = execFileSync("git", ["ls-files", "-z", "--deleted"], { encoding: "utf8" });
  const gone = new Set(deleted.split("\0"));
  return existing.split("\0").filter((path) => path !== "" && !gone.has(path));
}
