/** The command line of `evm`, whole. */
import { VERSION } from "@evm/protocol";
import { Command, Option } from "commander";
import { addApply } from "./commands/apply.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConsole } from "./commands/console.ts";
import { addDelete } from "./commands/delete.ts";
import { addDev } from "./commands/dev.ts";
import { addCordon, addDrain, addUndrain } from "./commands/drain.ts";
import { addEvents } from "./commands/events.ts";
import { addExplain } from "./commands/explain.ts";
import { addExport } from "./commands/export.ts";
import { addFleets } from "./commands/fleets.ts";
import { addHosts } from "./commands/hosts.ts";
import { addImages } from "./commands/images.ts";
import { addLogs } from "./commands/logs.ts";
import { addPlan } from "./commands/plan.ts";
import { addPrograms } from "./commands/programs.ts";
import { addPs } from "./commands/ps.ts";
import { addRestore } from "./commands/restore.ts";
import { addRollback, addRollout } from "./commands/rollout.ts";
import { addScale } from "./commands/scale.ts";
import { addRestart, addStart, addStop } from "./commands/start-stop-restart.ts";
import { addStatus } from "./commands/status.ts";
import type { Terminal } from "./output/terminal.ts";
import { createRun, DEFAULT_SERVER, parseServers } from "./runner.ts";

export type ProgramOptions = {
  readonly terminal: Terminal;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Fires on a second one, while what the first one began goes on. */
  readonly hurry: AbortSignal;
};

const EXIT_CODES_HELP = `
Exit codes:
  0  done                    3  no such fleet, instance, host or image
  1  refused or failed       4  what was waited for did not come in time
  2  bad command or file     5  no coordinator answers`;

export function createProgram(options: ProgramOptions): Command {
  const { terminal, now, random, signal, hurry } = options;
  const program = new Command("evm")
    .description("Runs fleets of virtual machines and containers on a pool of servers.")
    .version(VERSION)
    .addOption(
      new Option("--server <addresses>", "coordinators, any of which will do: h1,h2,h3:7070")
        .env("EVM_SERVER")
        .argParser(parseServers)
        .default(DEFAULT_SERVER),
    )
    .option("--json", "print JSON, for scripts")
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .exitOverride()
    .addHelpText("after", EXIT_CODES_HELP);
  const run = createRun({ program, terminal, now, random, signal });
  addApply(program, run);
  addPlan(program, run);
  addPs(program, run);
  addFleets(program, run);
  addHosts(program, run);
  addImages(program, run);
  addExplain(program, run);
  addEvents(program, run);
  addStatus(program, run);
  addLogs(program, run);
  addConsole(program, run);
  addScale(program, run);
  addRollout(program, run);
  addRollback(program, run);
  addStart(program, run);
  addStop(program, run);
  addRestart(program, run);
  addDelete(program, run);
  addDrain(program, run);
  addCordon(program, run);
  addUndrain(program, run);
  addExport(program, run);
  addRestore(program, run);
  addDev(program, { terminal, random, signal, hurry });
  addPrograms(program);
  addCompletion(program, run);
  pointToHelp(program);
  return program;
}

/** A wrong command line names the help of the command that it is about. */
function pointToHelp(command: Command, parents = ""): void {
  const path = `${parents}${command.name()}`;
  command.showHelpAfterError(`(${path} --help shows how)`);
  for (const child of command.commands) pointToHelp(child, `${path} `);
}
