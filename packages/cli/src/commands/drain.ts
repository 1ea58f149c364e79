import {
  CordonHostResponseSchema,
  type DrainHostResponse,
  DrainHostResponseSchema,
  FleetService,
  HostService,
  PlanFleetsResponseSchema,
  UndrainHostResponseSchema,
} from "@evm/protocol";
import type { Command } from "commander";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { type Context, callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import { plannedText } from "../plan-text.ts";
import type { Run } from "../runner.ts";
import { waitUntilEmpty } from "../watch/wait-drained.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";

type DrainOptions = WaitOptions & ConfirmOptions & { readonly plan?: boolean };

export function addDrain(program: Command, run: Run): void {
  const command = program
    .command("drain <hosts...>")
    .summary("move everything away from hosts")
    .description(
      "Places nothing new on the hosts and moves away what runs there, of each fleet no more\n" +
        "at once than its maxUnavailable bears. First shows what moves, in which order and\n" +
        "where to, and what has nowhere to go. A drained host may be stopped without an alarm.\n" +
        "evm undrain calls a drain off: what has moved stays where it is.",
    )
    .option("--plan", "only show what would move")
    .addHelpText(
      "after",
      "\nExamples:\n  evm drain h1 --plan\n  evm drain h1 --wait && ssh h1 poweroff",
    );
  addConfirmOption(command, "instances it moves");
  addWaitOptions(command, "nothing runs there").action(
    run(async (context, given: readonly string[], options: DrainOptions) => {
      const { terminal, isJson } = context;
      const names = [...new Set(given)];
      if (options.plan === true || !isJson) await showPlan(context, names);
      if (options.plan === true) return;
      const reply = await drain(context, names, options);
      if (options.wait === true) await waitUntilEmpty(context, names, options.timeout);
      if (isJson) terminal.out(messageJson(DrainHostResponseSchema, reply));
      else terminal.out(drainedLine(names, options.wait === true));
    }),
  );
}

function drainedLine(names: readonly string[], isOver: boolean): string {
  const verb = names.length === 1 ? "is" : "are";
  return `${names.join(", ")} ${verb} ${isOver ? "empty" : "draining"}\n`;
}

async function showPlan(context: Context, drains: readonly string[]): Promise<void> {
  const method = FleetService.method.planFleets;
  const request = { drains: [...drains] };
  const reply = await context.client.unary(method, request, callOptions(context));
  const { terminal, isJson } = context;
  terminal.out(
    isJson ? messageJson(PlanFleetsResponseSchema, reply) : plannedText(terminal, reply),
  );
}

function drain(
  context: Context,
  [name = "", ...others]: readonly string[],
  options: DrainOptions,
): Promise<DrainHostResponse> {
  const method = HostService.method.drainHost;
  const request = { name, others, ...confirmedBy(options) };
  return context.client.unary(method, request, callOptions(context));
}

export function addCordon(program: Command, run: Run): void {
  program
    .command("cordon <host>")
    .summary("place nothing new on a host")
    .description(
      "Places nothing new on a host. What runs there stays, is kept alive, and can be stopped\n" +
        "and started; what is made afresh, as after a changed template or by evm restart, gets\n" +
        "another host. Ends a drain that is under way: what has moved stays where it is.",
    )
    .addHelpText("after", "\nExample:\n  evm cordon h1")
    .action(
      run(async (context, name: string) => {
        const { client, terminal, isJson } = context;
        const method = HostService.method.cordonHost;
        const reply = await client.unary(method, { name }, callOptions(context));
        if (isJson) terminal.out(messageJson(CordonHostResponseSchema, reply));
        else terminal.out(`${name} is cordoned\n`);
      }),
    );
}

export function addUndrain(program: Command, run: Run): void {
  program
    .command("undrain <host>")
    .alias("uncordon")
    .summary("take a host back into service")
    .description(
      "Takes a host back into service that was drained or cordoned. What has moved stays where\n" +
        "it is, and nothing more is moved.",
    )
    .addHelpText("after", "\nExample:\n  evm undrain h1")
    .action(
      run(async (context, name: string) => {
        const { client, terminal, isJson } = context;
        const method = HostService.method.undrainHost;
        const reply = await client.unary(method, { name }, callOptions(context));
        if (isJson) terminal.out(messageJson(UndrainHostResponseSchema, reply));
        else terminal.out(`${name} is in service\n`);
      }),
    );
}
