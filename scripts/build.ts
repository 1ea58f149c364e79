/** Bundles what is shipped: one file per program, which needs nothing but Node. */
import { chmod, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const PROGRAMS = [
  { entry: "packages/cli/src/main.ts", file: "dist/evm.mjs" },
  { entry: "packages/coordinator/src/main.ts", file: "dist/evm-coordinator.mjs" },
  { entry: "packages/agent/src/main.ts", file: "dist/evm-agent.mjs" },
];

/** Native accelerators that their owners load if they are there, and do without otherwise. */
const OPTIONAL_NATIVE = ["cpu-features", /\.node$/];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

for (const { entry, file } of PROGRAMS) {
  await build({
    input: entry,
    platform: "node",
    external: OPTIONAL_NATIVE,
    output: {
      file,
      format: "esm",
      banner: "#!/usr/bin/env node",
      sourcemap: true,
      // One file: what is imported on demand is in it too.
      codeSplitting: false,
    },
  });
  await chmod(file, 0o755);
  console.log(`${file}  ${((await stat(file)).size / 1024).toFixed(0)} KiB`);
}
