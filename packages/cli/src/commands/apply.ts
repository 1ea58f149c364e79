import {
  type AppliedFleet,
  ApplyFleetsResponseSchema,
  ApplyOutcome,
  type Fleet,
  FleetService,
} from "@evm/protocol";
import type { Command } from "commander";
import { packFleets, uploadContexts } from "../build-contexts.ts";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { callOptions } from "../context.ts";
import { readFleets } from "../fleet-sources.ts";
import { messageJson } from "../output/json.ts";
import { table } from "../output/table.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import type { Run } from "../runner.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";
import { readinessLine, waitReady } from "../watch/wait-ready.ts";

type Options = WaitOptions & ConfirmOptions & { readonly file?: readonly string[] };

const EXAMPLES = `
Examples:
  evm apply -f school.yaml
  evm apply -f fleets/ --wait --timeout 5m
  generate-fleets | evm apply -f -`;

export function addApply(program: Command, run: Run): void {
  const command = program
    .command("apply [files...]")
    .summary("declare fleets")
    .description(
      "Declares the fleets of files, all or none, and what changes is carried out at once.\n" +
        "Every problem of every file is shown; with a problem anywhere nothing is changed.",
    )
    .option("-f, --file <file...>", "a fleet file, a folder of them, or - for stdin")
    .addHelpText("after", EXAMPLES);
  addConfirmOption(command, "instances it disturbs");
  addWaitOptions(command, "every instance is ready").action(
    run(async (context, files: readonly string[], options: Options) => {
      const { client, terminal, isJson } = context;
      const parsed = await readFleets(context, [...files, ...(options.file ?? [])]);
      const { specs, contexts } = await packFleets(context, parsed);
      await uploadContexts(context, contexts);
      const method = FleetService.method.applyFleets;
      const request = { fleets: [...specs], ...confirmedBy(options) };
      const reply = await client.unary(method, request, callOptions(context));
      if (!isJson) terminal.out(outcomeTable(terminal, reply.fleets));
      let fleets = reply.fleets;
      if (options.wait === true) {
        const applied = reply.fleets.flatMap(({ fleet }) => fleet ?? []);
        const ready = await waitReady(context, applied, options.timeout);
        if (!isJson) terminal.out(`\n${ready.map(readyLine).join("\n")}\n`);
        fleets = fleets.map((applied, at) => withFleet(applied, ready[at]));
      }
      if (isJson) terminal.out(messageJson(ApplyFleetsResponseSchema, { fleets }));
    }),
  );
}

const withFleet = (applied: AppliedFleet, fleet: Fleet | undefined): AppliedFleet =>
  fleet === undefined ? applied : { ...applied, fleet };

const readyLine = (fleet: Fleet): string => readinessLine(fleet.spec?.name ?? "", fleet);

const outcomeTable = (terminal: Terminal, applied: readonly AppliedFleet[]): string =>
  table(
    terminal,
    applied,
    [
      { title: "FLEET", value: ({ fleet }) => fleet?.spec?.name ?? "" },
      { title: "OUTCOME", value: ({ outcome }) => outcomeText(terminal, outcome) },
      {
        title: "REPLICAS",
        value: ({ fleet }) => String(fleet?.spec?.replicas ?? 0),
        align: "right",
      },
    ],
    "Nothing applied.",
  );

function outcomeText(terminal: Terminal, outcome: ApplyOutcome): string {
  switch (outcome) {
    case ApplyOutcome.CREATED:
      return styled(terminal, "green", "created");
    case ApplyOutcome.CHANGED:
      return styled(terminal, "yellow", "changed");
    case ApplyOutcome.UNCHANGED:
      return styled(terminal, "dim", "unchanged");
    default:
      return "?";
  }
}
