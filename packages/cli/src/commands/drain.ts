import {
  CordonHostResponseSchema,
  Desired,
  DrainHostResponseSchema,
  HostService,
  type Instance,
  Phase,
  UndrainHostResponseSchema,
} from "@evm/protocol";
import type { Command } from "commander";
import { callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { waitForInstances } from "../watch/wait-instances.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";

export function addDrain(program: Command, run: Run): void {
  const command = program
    .command("drain <host>")
    .summary("move everything away from a host")
    .description("Places nothing new on a host and moves away what runs there.")
    .addHelpText("after", "\nExample:\n  evm drain h1 --wait && ssh h1 poweroff");
  addWaitOptions(command, "nothing runs there").action(
    run(async (context, name: string, options: WaitOptions) => {
      const { client, terminal, isJson } = context;
      const method = HostService.method.drainHost;
      const reply = await client.unary(method, { name }, callOptions(context));
      if (options.wait === true) {
        await waitForInstances(context, {
          fleet: "",
          pending: (instances) => instances.filter((instance) => isOn(name, instance)),
          timeoutMs: options.timeout,
        });
      }
      if (isJson) terminal.out(messageJson(DrainHostResponseSchema, reply));
      else terminal.out(`${name} ${options.wait === true ? "is empty" : "is draining"}\n`);
    }),
  );
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

const ALIVE: readonly Phase[] = [
  Phase.PREPARING,
  Phase.STARTING,
  Phase.RUNNING,
  Phase.READY,
  Phase.STOPPING,
];

/** Whether it runs on the host, or is ordered to. */
const isOn = (name: string, { host, phase, desired }: Instance): boolean =>
  host === name && (desired === Desired.RUN || ALIVE.includes(phase));
