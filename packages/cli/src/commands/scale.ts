import { FleetService, ScaleFleetResponseSchema } from "@evm/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { waitForInstances } from "../watch/wait-instances.ts";
import { addWaitOptions, type WaitOptions } from "../watch/wait-options.ts";
import { readinessLine, waitReady } from "../watch/wait-ready.ts";

type Options = WaitOptions & ConfirmOptions;

export function addScale(program: Command, run: Run): void {
  const command = program
    .command("scale")
    .argument("<fleet>")
    .argument("<replicas>", "how many instances; 0 keeps the fleet and runs none", replicas)
    .summary("change how many instances a fleet has")
    .description(
      "Changes how many instances a fleet has. Scaled down, those of the highest numbers are\n" +
        "stopped and discarded with their disks.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  evm scale school-web 10\n  evm scale school-web 0 --wait",
    );
  addConfirmOption(command, "instances it disturbs");
  addWaitOptions(command, "every instance is ready, and what is too many is gone").action(
    run(async (context, name: string, count: number, options: Options) => {
      const { client, terminal, isJson } = context;
      const method = FleetService.method.scaleFleet;
      const request = { name, replicas: count, ...confirmedBy(options) };
      const { fleet: scaled } = await client.unary(method, request, callOptions(context));
      let fleet = scaled;
      if (options.wait === true && scaled !== undefined) {
        [fleet] = await waitReady(context, [scaled], options.timeout);
        await waitForInstances(context, {
          fleet: name,
          pending: (instances) => instances.filter(({ index }) => index >= count),
          timeoutMs: options.timeout,
        });
      }
      if (isJson) terminal.out(messageJson(ScaleFleetResponseSchema, fleet ? { fleet } : {}));
      else terminal.out(`${readinessLine(name, fleet)}\n`);
    }),
  );
}

function replicas(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 0 to 100000.");
}
