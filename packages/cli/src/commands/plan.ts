import { FleetService, PlanFleetsResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { packFleets } from "../build-contexts.ts";
import { callOptions } from "../context.ts";
import { readFleets } from "../fleet-sources.ts";
import { messageJson } from "../output/json.ts";
import { plannedText } from "../plan-text.ts";
import type { Run } from "../runner.ts";

type Options = {
  readonly file?: readonly string[];
  readonly delete?: readonly string[];
  readonly drain?: readonly string[];
};

const EXAMPLES = `
Examples:
  evm plan -f school.yaml
  evm plan --delete school-exam
  evm plan -f new.yaml --delete old
  evm plan --drain h1 h2`;

export function addPlan(program: Command, run: Run): void {
  program
    .command("plan [files...]")
    .summary("show what applying, deleting or draining would do")
    .description(
      "Shows what applying files, deleting fleets or draining hosts would create, replace, move\n" +
        "and stop, and where. Changes nothing.",
    )
    .option("-f, --file <file...>", "a fleet file, a folder of them, or - for stdin")
    .option("--delete <fleet...>", "a fleet as it would be deleted")
    .option("--drain <host...>", "a host as it would be drained")
    .addHelpText("after", EXAMPLES)
    .action(
      run(async (context, files: readonly string[], options: Options) => {
        const { client, terminal, isJson } = context;
        const names = [...files, ...(options.file ?? [])];
        const deletes = [...(options.delete ?? [])];
        const drains = [...(options.drain ?? [])];
        const hasFiles = names.length > 0 || deletes.length + drains.length === 0;
        const parsed = hasFiles ? await readFleets(context, names) : [];
        const { specs } = await packFleets(context, parsed);
        const request = { fleets: [...specs], deletes, drains };
        const method = FleetService.method.planFleets;
        const reply = await client.unary(method, request, callOptions(context));
        terminal.out(
          isJson ? messageJson(PlanFleetsResponseSchema, reply) : plannedText(terminal, reply),
        );
      }),
    );
}
