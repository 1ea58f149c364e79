import { FleetService, PlanFleetsResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { packFleets } from "../build-contexts.ts";
import { CliError } from "../cli-error.ts";
import { callOptions } from "../context.ts";
import { readFleets } from "../fleet-sources.ts";
import { messageJson } from "../output/json.ts";
import { planText } from "../plan-text.ts";
import type { Run } from "../runner.ts";

type Options = { readonly file?: readonly string[]; readonly delete?: readonly string[] };

const EXAMPLES = `
Examples:
  evm plan -f school.yaml
  evm plan --delete school-exam
  evm plan -f new.yaml --delete old`;

export function addPlan(program: Command, run: Run): void {
  program
    .command("plan [files...]")
    .summary("show what applying or deleting would do")
    .description(
      "Shows what applying files, or deleting fleets, would create, replace, move and stop, and\n" +
        "where. Changes nothing.",
    )
    .option("-f, --file <file...>", "a fleet file, a folder of them, or - for stdin")
    .option("--delete <fleet...>", "a fleet as it would be deleted")
    .addHelpText("after", EXAMPLES)
    .action(
      run(async (context, files: readonly string[], options: Options) => {
        const { client, terminal, isJson } = context;
        const names = [...files, ...(options.file ?? [])];
        const deletes = [...(options.delete ?? [])];
        const hasFiles = names.length > 0 || deletes.length === 0;
        const parsed = hasFiles ? await readFleets(context, names) : [];
        const { specs } = await packFleets(context, parsed);
        const request = { fleets: [...specs], deletes };
        const method = FleetService.method.planFleets;
        const reply = await client.unary(method, request, callOptions(context));
        if (reply.plan === undefined) throw new CliError("failed", "the server sent no plan");
        terminal.out(
          isJson ? messageJson(PlanFleetsResponseSchema, reply) : planText(terminal, reply.plan),
        );
      }),
    );
}
