import { Argument, type Command } from "commander";
import { completionModel, NAME_KINDS, type NameKind } from "../completion/model.ts";
import { completionScript, SHELLS, type Shell } from "../completion/scripts.ts";
import type { Context } from "../context.ts";
import { listFleets, listHosts, listImages, listInstances } from "../lists.ts";
import type { Run } from "../runner.ts";

const EXAMPLES = `
Examples:
  source <(evm completion bash)                                     for this shell
  evm completion bash > /etc/bash_completion.d/evm                  for everybody
  evm completion zsh > "\${fpath[1]}/_evm"
  evm completion fish > ~/.config/fish/completions/evm.fish`;

export function addCompletion(program: Command, run: Run): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .summary("print a script that completes commands and names")
    .description(
      "Prints a script for a shell. It completes commands, options, and the names of fleets,\n" +
        "instances, hosts and images, for which it asks the coordinator.",
    )
    .addHelpText("after", EXAMPLES)
    .action(
      run(async ({ terminal }, shell: Shell) => {
        terminal.out(completionScript(shell, completionModel(program)));
      }),
    );
  // What the scripts ask for: names, one on a line.
  program
    .command("__complete", { hidden: true })
    .addArgument(new Argument("<kind>").choices(NAME_KINDS))
    .action(
      run(async (context, kind: NameKind) => {
        const names = await namesOf(context, kind);
        context.terminal.out([...new Set(names)].map((name) => `${name}\n`).join(""));
      }),
    );
}

async function namesOf(context: Context, kind: NameKind): Promise<readonly string[]> {
  switch (kind) {
    case "fleets":
      return (await listFleets(context)).map(({ spec }) => spec?.name ?? "");
    case "instances":
      return (await listInstances(context, {})).map(({ name }) => name);
    case "hosts":
      return (await listHosts(context)).map(({ name }) => name);
    case "images":
      return (await listImages(context)).map(({ image }) => image?.name ?? "");
  }
}
