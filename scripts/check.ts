/** Everything that can be checked without a daemon: one line per step, and what failed below it. */
import { spawnSync } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

const STEPS: readonly (readonly [title: string, ...command: string[]])[] = [
  ["types", "tsc", "--noEmit"],
  ["lint and format", "biome", "check", "--error-on-warnings"],
  ["house rules", "node", "scripts/tidy.ts"],
  ["contract", "buf", "lint"],
  ["generated files", "node", "scripts/generate.ts", "--check"],
  ["fast tests", "vitest", "run", "--project", "unit"],
];

/** All steps together take a minute on two idle cores; one that takes longer than this hangs. */
const STEP_TIMEOUT_MS = 360_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const env = {
  ...process.env,
  PATH: [`${root}node_modules/.bin`, process.env["PATH"]].join(delimiter),
};

const failed = STEPS.filter(([title, command = "", ...options]) => {
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, options, {
    cwd: root,
    env,
    encoding: "utf8",
    timeout: STEP_TIMEOUT_MS,
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok" : "NO"}  ${title.padEnd(20)}${seconds.padStart(6)} s`);
  if (status === 0) return false;
  console.log(`${stdout}${stderr}${error?.message ?? ""}`.trimEnd());
  return true;
});

if (failed.length > 0) {
  console.log(`failed: ${failed.map(([title]) => title).join(", ")}`);
  process.exitCode = 1;
}
