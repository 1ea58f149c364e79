import { ExplainInstanceResponseSchema, InstanceService } from "@evm/protocol";
import type { Command } from "commander";
import { callOptions } from "../context.ts";
import { instanceTable } from "../instance-table.ts";
import { messageJson } from "../output/json.ts";
import { actionLine } from "../plan-text.ts";
import type { Run } from "../runner.ts";

export function addExplain(program: Command, run: Run): void {
  program
    .command("explain <instance>")
    .summary("say why an instance is where it is, or why it waits")
    .description(
      "Says why an instance is where it is, or why it waits: which rule turns how many hosts\n" +
        "away, and what would make it fit.",
    )
    .addHelpText("after", "\nExample:\n  evm explain school-linux-0001")
    .action(
      run(async (context, name: string) => {
        const { client, terminal, isJson } = context;
        const method = InstanceService.method.explainInstance;
        const reply = await client.unary(method, { name }, callOptions(context));
        if (isJson) return terminal.out(messageJson(ExplainInstanceResponseSchema, reply));
        const { instance, reasons, refusals, nextActions } = reply;
        if (instance !== undefined) {
          terminal.out(`${instanceTable(terminal, [instance], context.now())}\n`);
        }
        for (const reason of reasons) terminal.out(`${reason}\n`);
        for (const { rule, hosts, text } of refusals) {
          terminal.out(
            `  ${rule}: turns away ${hosts} ${hosts === 1 ? "host" : "hosts"}: ${text}\n`,
          );
        }
        for (const action of nextActions) terminal.out(`next: ${actionLine(action)}\n`);
      }),
    );
}
