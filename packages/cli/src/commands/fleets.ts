import { type Fleet, ListFleetsResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { listFleets } from "../lists.ts";
import { phaseCounts } from "../output/format.ts";
import { messageJson } from "../output/json.ts";
import { table } from "../output/table.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import { rolloutRemark, stateWord } from "../rollout-words.ts";
import type { Run } from "../runner.ts";

export function addFleets(program: Command, run: Run): void {
  program
    .command("fleets")
    .summary("show fleets")
    .description("Shows every fleet: what was declared, and what has become of it.")
    .addHelpText("after", "\nExamples:\n  evm fleets\n  evm fleets --json | jq .fleets[].ready")
    .action(
      run(async (context) => {
        const fleets = await listFleets(context);
        if (context.isJson) {
          context.terminal.out(messageJson(ListFleetsResponseSchema, { fleets: [...fleets] }));
        } else {
          context.terminal.out(fleetTable(context.terminal, fleets));
        }
      }),
    );
}

const fleetTable = (terminal: Terminal, fleets: readonly Fleet[]): string =>
  table(
    terminal,
    fleets,
    [
      { title: "FLEET", value: (fleet) => fleet.spec?.name ?? "" },
      { title: "KIND", value: (fleet) => fleet.spec?.template?.kind.case ?? "" },
      { title: "READY", value: (fleet) => readiness(terminal, fleet), align: "right" },
      { title: "OUTDATED", value: (fleet) => String(fleet.outdated), align: "right" },
      { title: "INSTANCES", value: (fleet) => phaseCounts(fleet.phases) },
      { title: "STATE", value: stateWord },
    ],
    "No fleets. Declare some: evm apply -f FILE",
  ) + remarks(fleets);

/** Why updates are held or were undone, a line for each fleet. */
function remarks(fleets: readonly Fleet[]): string {
  const lines = fleets.flatMap((fleet) => rolloutRemark(fleet) ?? []);
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}

function readiness(terminal: Terminal, fleet: Fleet): string {
  const wanted = (fleet.spec?.replicas ?? 0) - fleet.stoppedByWish;
  const text = `${fleet.ready}/${wanted}`;
  return styled(terminal, fleet.ready >= wanted ? "green" : "yellow", text);
}
