/** The other programs of EVM, by the command that people already have. */
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
      .action(({ config }: { config?: string }) => {
        become(name, config === undefined ? [] : ["--config", config]);
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
    .action(({ config }: { config?: string }) => {
      const { json = false } = program.opts<{ json?: boolean }>();
      const file = config === undefined ? [] : ["--config", config];
      become("agent", ["doctor", ...(json ? ["--json"] : []), ...file]);
    });
}

/** This process becomes that program: whoever signals or kills the one has done so to the other. */
function become(program: Program, given: readonly string[]): void {
  if (process.execve === undefined) {
    throw new CliError("failed", `evm ${program} needs Node 22.15 or newer, on Linux`);
  }
  process.execve(process.execPath, [process.execPath, programFile(program), ...given]);
}
