/** What an operator asks of one instance. */
import {
  Desired,
  type Instance,
  InstanceService,
  Phase,
  RestartInstanceResponseSchema,
  StartInstanceResponseSchema,
  StopInstanceResponseSchema,
} from "@evm/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { type Context, callOptions } from "../context.ts";
import { instanceTable } from "../instance-table.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { newestByName } from "../watch/states.ts";
import { waitForInstances } from "../watch/wait-instances.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";

export function addStart(program: Command, run: Run): void {
  const command = program
    .command("start <instance>")
    .summary("start an instance that was stopped")
    .description("Starts what `evm stop` stopped, with the disk that it has.")
    .addHelpText("after", "\nExample:\n  evm start school-linux-0001 --wait");
  addWaitOptions(command, "it is ready").action(
    run(async (context, name: string, options: WaitOptions) => {
      const method = InstanceService.method.startInstance;
      const reply = await context.client.unary(method, { name }, callOptions(context));
      const instance = await settled(context, reply.instance, options, (now) => isReady(now));
      const json = messageJson(StartInstanceResponseSchema, { instance });
      show(context, { instance, json, doing: options.wait === true ? undefined : "started" });
    }),
  );
}

export function addStop(program: Command, run: Run): void {
  const command = program
    .command("stop <instance>")
    .summary("stop an instance, keeping its disk")
    .description("Stops an instance until `evm start`; its disk is kept.")
    .addHelpText("after", "\nExample:\n  evm stop school-linux-0001 --wait");
  addWaitOptions(command, "it has stopped").action(
    run(async (context, name: string, options: WaitOptions) => {
      const method = InstanceService.method.stopInstance;
      const reply = await context.client.unary(method, { name }, callOptions(context));
      const instance = await settled(context, reply.instance, options, isAtRest);
      const json = messageJson(StopInstanceResponseSchema, { instance });
      show(context, { instance, json, doing: options.wait === true ? undefined : "stopped" });
    }),
  );
}

export function addRestart(program: Command, run: Run): void {
  const command = program
    .command("restart <instance>")
    .summary("replace an instance by a new one from its image")
    .description("Replaces an instance by a new incarnation, afresh from its image.")
    .addHelpText("after", "\nExample:\n  evm restart school-linux-0001 --wait");
  addWaitOptions(command, "the new incarnation is ready").action(
    run(async (context, name: string, options: WaitOptions) => {
      const { getInstance, restartInstance: method } = InstanceService.method;
      const { client } = context;
      const { instance: before } = await client.unary(getInstance, { name }, callOptions(context));
      const request = { name, expectedIncarnation: before?.incarnation ?? 0 };
      const reply = await client.unary(method, request, callOptions(context));
      const { minIncarnation } = reply;
      const isDone = (now: Instance) => now.incarnation >= minIncarnation && isReady(now);
      const instance = await settled(context, reply.instance, options, isDone);
      const json = messageJson(RestartInstanceResponseSchema, { instance, minIncarnation });
      show(context, { instance, json, doing: options.wait === true ? undefined : "restarted" });
    }),
  );
}

const isReady = ({ phase, desired }: Instance): boolean =>
  phase === Phase.READY && desired === Desired.RUN;

const AT_REST: readonly Phase[] = [Phase.PENDING, Phase.STOPPED, Phase.FAILED];

/** Nothing of it runs, and nothing is ordered to. */
const isAtRest = ({ phase, desired }: Instance): boolean =>
  desired !== Desired.RUN && AT_REST.includes(phase);

/** The instance as the server returned it, or, where that is asked for, once `isDone` holds. */
async function settled(
  context: Context,
  instance: Instance | undefined,
  { wait, timeout }: WaitOptions,
  isDone: (newest: Instance) => boolean,
): Promise<Instance> {
  if (instance === undefined) throw new CliError("failed", "the server sent no instance");
  if (wait !== true) return instance;
  const { name, fleet } = instance;
  const newest = (all: readonly Instance[]) => newestByName(all).get(name);
  const all = await waitForInstances(context, {
    fleet,
    pending: (instances) => {
      const now = newest(instances);
      return now === undefined || isDone(now) || hasFailed(now) ? [] : [now];
    },
    timeoutMs: timeout,
  });
  const now = newest(all);
  if (now === undefined) throw new CliError("notFound", `${name} was deleted meanwhile`);
  if (isDone(now)) return now;
  throw new CliError("failed", `${name} has failed${now.reason === "" ? "" : `: ${now.reason}`}`);
}

const hasFailed = ({ phase, desired }: Instance): boolean =>
  phase === Phase.FAILED && desired === Desired.RUN;

type Shown = {
  readonly instance: Instance;
  readonly json: string;
  /** What goes on; undefined where it was waited for. */
  readonly doing: string | undefined;
};

function show({ terminal, isJson, now }: Context, { instance, json, doing }: Shown): void {
  if (isJson) terminal.out(json);
  else if (doing === undefined) terminal.out(instanceTable(terminal, [instance], now()));
  // How it is now, before anything was done, would look as if nothing would be.
  else terminal.out(`${instance.name} is being ${doing}\n`);
}
