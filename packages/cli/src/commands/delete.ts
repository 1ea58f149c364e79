import {
  DeleteFleetResponseSchema,
  type Fleet,
  FleetService,
  UndeleteFleetResponseSchema,
} from "@evm/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { type Context, callOptions } from "../context.ts";
import { ask } from "../output/ask.ts";
import { phaseCounts } from "../output/format.ts";
import { messageLine } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { unlessGone } from "../unless-gone.ts";
import { fleetStates } from "../watch/states.ts";
import { waitFor } from "../watch/wait-for.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";

type Options = WaitOptions & ConfirmOptions & { readonly yes?: boolean; readonly undo?: boolean };

export function addDelete(program: Command, run: Run): void {
  const command = program
    .command("delete <fleets...>")
    .summary("delete fleets with their instances and disks")
    .description(
      "Stops and discards every instance of the fleets, with its disk, then forgets the fleets.\n" +
        "Asks before it does so; where nobody can be asked, it needs --yes. --undo calls a\n" +
        "deletion off that is under way: what has not been ended yet stays, the rest is made anew.",
    )
    .option("-y, --yes", "do not ask")
    .option("--undo", "call the deletion off")
    .addHelpText(
      "after",
      "\nExamples:\n  evm delete school-exam\n  evm delete school-exam school-web --yes --wait\n" +
        "  evm delete school-exam --undo",
    );
  addConfirmOption(command, "instances it disturbs, and instead of --yes");
  addWaitOptions(command, "nothing of them is left").action(
    run(async (context, given: readonly string[], options: Options) => {
      const names = [...new Set(given)];
      if (options.undo === true) {
        for (const name of names) await undeleteFleet(context, name);
        return;
      }
      const fleets = await Promise.all(names.map((name) => findFleet(context, name)));
      const isConfirmed = options.yes === true || options.confirm !== undefined;
      if (!isConfirmed) await confirm(context, fleets);
      await deleteFleets(context, fleets, options);
      if (options.wait === true) await waitUntilGone(context, names, options.timeout);
    }),
  );
}

/** Also tells, before anything is changed, that there is none of this name. */
async function findFleet(context: Context, name: string): Promise<Fleet> {
  const method = FleetService.method.getFleet;
  const { fleet } = await context.client.unary(method, { name }, callOptions(context));
  if (fleet === undefined) throw new CliError("failed", `fleet "${name}": the server sent none`);
  return fleet;
}

async function confirm({ terminal, signal }: Context, fleets: readonly Fleet[]): Promise<void> {
  if (terminal.input.isTTY !== true) {
    throw new CliError("usage", "deleting fleets needs --yes where nobody can be asked");
  }
  const list = fleets.map(({ spec, phases }) => `  ${spec?.name}: ${phaseCounts(phases)}\n`);
  terminal.err(
    `Stops and discards every instance of these fleets, with its disk:\n${list.join("")}`,
  );
  if (await ask(terminal, "Delete them?", signal)) return;
  signal.throwIfAborted();
  throw new CliError("failed", "not confirmed; nothing was changed");
}

/** All of them or none. */
async function deleteFleets(
  context: Context,
  fleets: readonly Fleet[],
  options: Options,
): Promise<void> {
  const { client, terminal, isJson } = context;
  const [name = "", ...others] = fleets.map(({ spec }) => spec?.name ?? "");
  const method = FleetService.method.deleteFleet;
  const request = { name, others, ...confirmedBy(options) };
  const reply = await unlessGone(client.unary(method, request, callOptions(context)));
  const [fleet, ...more] = fleets;
  const told = reply ?? { ...(fleet === undefined ? {} : { fleet }), others: more };
  if (isJson) terminal.out(messageLine(DeleteFleetResponseSchema, told));
  else for (const one of [name, ...others]) terminal.out(`${one} is being deleted\n`);
}

async function undeleteFleet(context: Context, name: string): Promise<void> {
  const method = FleetService.method.undeleteFleet;
  const reply = await context.client.unary(method, { name }, callOptions(context));
  const { terminal, isJson } = context;
  terminal.out(isJson ? messageLine(UndeleteFleetResponseSchema, reply) : `${name} is kept\n`);
}

async function waitUntilGone(
  context: Context,
  names: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const left = (fleets: ReadonlyMap<string, Fleet>) => names.filter((name) => fleets.has(name));
  await waitFor(context, {
    watch: (signal) => fleetStates(context, names.length === 1 ? (names[0] ?? "") : "", signal),
    isDone: (fleets) => left(fleets).length === 0,
    progress: (fleets) => `deleting ${left(fleets).join(", ")}`,
    timeoutMs,
    missing: (fleets) => `${left(fleets).join(", ")} still there`,
  });
  if (!context.isJson) context.terminal.out(`${names.join(", ")} gone\n`);
}
