/** The other programs of EVM, by the command that people already have. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";

export type Program = "coordinator" | "agent";

/** The file to run: beside this one in a bundle, else in the sibling package's source. */
export function programFile(program: Program): string {
  const isBundled = import.meta.url.endsWith(".mjs");
  const relative = isBundled ? `./evm-${program}.mjs` : `../../../${program}/src/main.ts`;
  return fileURLToPath(new URL(relative, import.meta.url));
}

export function addPrograms(program: Command): void {
  for (const name of ["coordinator", "agent"] as const) {
    program
      .command(name)
      .summary(`run ${name === "agent" ? "an agent: this host runs instances" : "a coordinator"}`)
      .description(
        `Runs the ${name} until SIGTERM or Ctrl-C. Its settings come from a YAML file and from ` +
          `variables EVM_${name.toUpperCase()}_*; see deploy/examples.`,
      )
      .option("--config <file>", "file with settings")
      .addHelpText("after", `\nExample:\n  evm ${name} --config ${name}.yaml`)
      .action(async ({ config }: { config?: string }) => {
        await runProgram(name, config === undefined ? [] : ["--config", config]);
      });
  }
  program
    .command("doctor")
    .summary("say what this machine lacks to run instances")
    .description(
      "Looks at every driver, pool and tool of this machine; every no comes with its reason.",
    )
    .option("--config <file>", "settings of the agent")
    .addHelpText("after", "\nExamples:\n  evm doctor\n  evm doctor --json")
    .action(async ({ config }: { config?: string }) => {
      const { json = false } = program.opts<{ json?: boolean }>();
      const file = config === undefined ? [] : ["--config", config];
      await runProgram("agent", ["doctor", ...(json ? ["--json"] : []), ...file]);
    });
}

/** Runs it in this terminal; this process waits, hands on signals, and fails as it does. */
async function runProgram(program: Program, given: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [programFile(program), ...given], { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the child by itself; a second SIGINT would cut its ending short.
  const handOn = () => child.kill("SIGTERM");
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, handOn);
  try {
    const [code]: unknown[] = await once(child, "exit");
    if (code !== 0) throw new CliError("failed", `evm ${program} ended with ${String(code)}`);
  } finally {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, handOn);
  }
}
