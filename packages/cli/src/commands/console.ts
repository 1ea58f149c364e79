import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { consoleSession } from "../console-session.ts";
import type { Run } from "../runner.ts";

export function addConsole(program: Command, run: Run): void {
  program
    .command("console <instance>")
    .summary("open the console of an instance")
    .description(
      "Opens the serial console of a VM, or a shell in a container. Ctrl-] leaves it. What is\n" +
        "piped in is sent, and its answer printed.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  evm console school-linux-0001\n  echo uptime | evm console school-linux-0001",
    )
    .action(
      run(async (context, name: string) => {
        if (context.isJson) throw new CliError("usage", "a console cannot be shown as JSON");
        await consoleSession(context, name);
      }),
    );
}
