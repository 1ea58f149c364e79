import {
  Desired,
  FleetService,
  HostService,
  ListInstancesResponseSchema,
  Phase,
} from "@evm/protocol";
import type { Command } from "commander";
import { type Context, callOptions } from "../context.ts";
import { instanceTable } from "../instance-table.ts";
import { type InstanceFilter, listInstances } from "../lists.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";

type Options = { readonly host?: string; readonly all?: boolean };

export function addPs(program: Command, run: Run): void {
  program
    .command("ps [fleet]")
    .summary("show instances")
    .description("Shows the instances of one fleet or of all.")
    .option("--host <host>", "only those on this host")
    .option("-a, --all", "also old incarnations that rest stopped or are on their way out")
    .addHelpText("after", "\nExamples:\n  evm ps\n  evm ps school-linux --all\n  evm ps --host h1")
    .action(
      run(async (context, fleet: string | undefined, options: Options) => {
        const filter = {
          ...(fleet === undefined ? {} : { fleet }),
          ...(options.host === undefined ? {} : { host: options.host }),
        };
        const found = await listInstances(context, filter);
        if (found.length === 0) await assertKnown(context, filter);
        const instances = options.all === true ? found : newestOf(found);
        if (context.isJson) {
          const message = { instances: [...instances] };
          context.terminal.out(messageJson(ListInstancesResponseSchema, message));
        } else {
          context.terminal.out(instanceTable(context.terminal, instances, context.now()));
        }
      }),
    );
}

/** A fleet or host without instances is one thing, a name that was mistyped another. */
async function assertKnown(context: Context, { fleet, host }: InstanceFilter): Promise<void> {
  const options = callOptions(context);
  const { client } = context;
  if (fleet !== undefined) {
    await client.unary(FleetService.method.getFleet, { name: fleet }, options);
  }
  if (host !== undefined) await client.unary(HostService.method.getHost, { name: host }, options);
}

/** One line for each instance: its newest incarnation, unless that is only being cleared away. */
function newestOf<
  T extends { readonly name: string; readonly desired: Desired; readonly phase: Phase },
>(instances: readonly T[]): readonly T[] {
  const seen = new Set<string>();
  return instances.filter(({ name, desired, phase }) => {
    if (seen.has(name)) return false;
    seen.add(name);
    return desired !== Desired.DISCARD || phase !== Phase.STOPPED;
  });
}
