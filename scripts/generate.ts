/**
 * Writes the files that follow from other files: the wire types from proto/, and the JSON schema of
 * the fleet file from the codec. With --check it writes nothing, and ends with 1 where one has
 * drifted.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WIRE_TYPES = "packages/protocol/src/gen";
const FLEET_SCHEMA = "deploy/fleet.schema.json";

const root = fileURLToPath(new URL("..", import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), "evm-generate-"));
try {
  const isCheck = process.argv.includes("--check");
  generateWireTypes();
  if (!isCheck) replace(WIRE_TYPES);
  await generateFleetSchema();
  if (isCheck) reportDrift();
  else replace(FLEET_SCHEMA);
} finally {
  rmSync(fresh, { recursive: true });
}

function generateWireTypes(): void {
  const bin = join(root, "node_modules/.bin");
  execFileSync(join(bin, "buf"), ["generate", "--output", fresh], {
    cwd: root,
    stdio: "inherit",
    // buf finds its plugin there.
    env: { ...process.env, PATH: [bin, process.env["PATH"]].join(delimiter) },
  });
}

/** The codec is loaded only here: it may need wire types that have just been generated. */
async function generateFleetSchema(): Promise<void> {
  const { fleetFileJsonSchema } = await import("../packages/codec/src/index.ts");
  const file = join(fresh, FLEET_SCHEMA);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(fleetFileJsonSchema(), undefined, 2)}\n`);
}

function replace(output: string): void {
  rmSync(join(root, output), { recursive: true, force: true });
  cpSync(join(fresh, output), join(root, output), { recursive: true });
}

function reportDrift(): void {
  for (const output of [WIRE_TYPES, FLEET_SCHEMA]) {
    const files = new Set([...filesBelow(fresh, output), ...filesBelow(root, output)]);
    for (const file of files) {
      if (read(join(fresh, file)) === read(join(root, file))) continue;
      console.log(`${file}: not what would be generated; run \`pnpm generate\``);
      process.exitCode = 1;
    }
  }
}

/** The files at or below a path, relative to the base. */
function filesBelow(base: string, path: string): readonly string[] {
  const full = join(base, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full).flatMap((name) => filesBelow(base, join(path, name)));
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
