import {
  type Fleet,
  FleetService,
  GetFleetResponseSchema,
  PauseRolloutResponseSchema,
  ResumeRolloutResponseSchema,
  RollbackFleetResponseSchema,
  RolloutState,
} from "@evm/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { type Context, callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import { rolloutReason, rolloutRemark, rolloutText } from "../rollout-words.ts";
import type { Run } from "../runner.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";
import { readinessLine, waitReady } from "../watch/wait-ready.ts";

const EXAMPLES = `
Examples:
  evm rollout school-web
  evm rollout school-web --wait && echo "everybody has it"
  evm rollout pause school-web
  evm rollout resume school-web`;

export function addRollout(program: Command, run: Run): void {
  const rollout = program
    .command("rollout")
    .summary("show, pause and resume the update of a fleet")
    .description("The update of a fleet to a changed template, in waves as its policy says.")
    .addHelpText("after", EXAMPLES);
  const status = rollout
    .command("status", { isDefault: true })
    .argument("<fleet>")
    .summary("show how far it is")
    .description(
      "Shows how many instances are of the new template, ready, outdated and failed, and why\n" +
        "the update is held or was undone. Exits with 1 where it is halted.",
    )
    .addHelpText("after", EXAMPLES);
  addWaitOptions(status, "the update is done; ends with 1 where it is held or undone").action(
    run(async (context, name: string, options: WaitOptions) => {
      let fleet = await getFleet(context, name);
      if (options.wait === true)
        [fleet = fleet] = await waitReady(context, [fleet], options.timeout);
      const { terminal, isJson } = context;
      if (isJson) terminal.out(messageJson(GetFleetResponseSchema, { fleet }));
      else terminal.out(rolloutText(terminal, fleet));
      if (fleet.rollout?.state !== RolloutState.HALTED) return;
      throw new CliError("failed", `the update of ${name} is halted: ${rolloutReason(fleet)}`);
    }),
  );
  addPauseAndResume(rollout, run);
}

function addPauseAndResume(rollout: Command, run: Run): void {
  rollout
    .command("pause <fleet>")
    .summary("replace nothing more until it is resumed")
    .description("Holds the update of a fleet: what is replaced stays so, and nothing more is.")
    .addHelpText("after", "\nExample:\n  evm rollout pause school-web")
    .action(
      run(async (context, name: string) => {
        const { client, terminal, isJson } = context;
        const method = FleetService.method.pauseRollout;
        const reply = await client.unary(method, { name }, callOptions(context));
        if (isJson) terminal.out(messageJson(PauseRolloutResponseSchema, reply));
        else terminal.out(`${remarkOn(name, reply.fleet)}\n`);
      }),
    );
  const resume = rollout
    .command("resume <fleet>")
    .summary("go on with a paused or halted update")
    .description(
      "Goes on with an update that was paused or halted. Failures that are there already count\n" +
        "no more; as many new ones as the policy bears halt it again.",
    )
    .addHelpText("after", "\nExample:\n  evm rollout resume school-web");
  addConfirmOption(resume, "instances it disturbs").action(
    run(async (context, name: string, options: ConfirmOptions) => {
      const { client, terminal, isJson } = context;
      const method = FleetService.method.resumeRollout;
      const request = { name, ...confirmedBy(options) };
      const reply = await client.unary(method, request, callOptions(context));
      if (isJson) terminal.out(messageJson(ResumeRolloutResponseSchema, reply));
      else if (reply.fleet?.rollout?.state === RolloutState.GOING) {
        terminal.out(`the update of ${name} goes on\n`);
      } else terminal.out(`no update of ${name} is under way\n`);
    }),
  );
}

export function addRollback(program: Command, run: Run): void {
  const command = program
    .command("rollback <fleet>")
    .summary("go back to the template that a fleet had before")
    .description(
      "Gives a fleet the template back that it had before the last change, in waves like any\n" +
        "other update. A second rollback undoes the first. Nothing else of the fleet changes.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  evm rollback school-web\n  evm rollback school-web --wait",
    );
  addConfirmOption(command, "instances it disturbs");
  addWaitOptions(command, "every instance is of that template, and ready").action(
    run(async (context, name: string, options: WaitOptions & ConfirmOptions) => {
      const { terminal, isJson } = context;
      let fleet = await rollBack(context, name, options);
      if (options.wait === true)
        [fleet = fleet] = await waitReady(context, [fleet], options.timeout);
      if (isJson) terminal.out(messageJson(RollbackFleetResponseSchema, { fleet }));
      else if (options.wait === true) terminal.out(`${readinessLine(name, fleet)}\n`);
      else terminal.out(`${name} is rolling back\n`);
    }),
  );
}

async function rollBack(context: Context, name: string, options: ConfirmOptions): Promise<Fleet> {
  const { templateDigest } = await getFleet(context, name);
  const { fleet } = await context.client.unary(
    FleetService.method.rollbackFleet,
    { name, expectedTemplateDigest: templateDigest, ...confirmedBy(options) },
    callOptions(context),
  );
  if (fleet?.rollout?.previous?.digest === templateDigest) return fleet;
  throw new CliError("failed", `${name} was given another template meanwhile`);
}

async function getFleet(context: Context, name: string): Promise<Fleet> {
  const method = FleetService.method.getFleet;
  const { fleet } = await context.client.unary(method, { name }, callOptions(context));
  if (fleet === undefined) throw new CliError("failed", "the server sent no fleet");
  return fleet;
}

const remarkOn = (name: string, fleet: Fleet | undefined): string =>
  (fleet && rolloutRemark(fleet)) ?? `the update of ${name} is held`;
