import { InstanceService, StreamLogsResponseSchema } from "@evm/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { messageLine } from "../output/json.ts";
import type { Run } from "../runner.ts";

type Options = { readonly follow?: boolean; readonly tail?: number };

export function addLogs(program: Command, run: Run): void {
  program
    .command("logs <instance>")
    .summary("print what an instance has written")
    .description("Prints the output of a container, or the serial console of a VM, byte for byte.")
    .option("-f, --follow", "go on until the instance ends, or Ctrl-C")
    .option("--tail <lines>", "only so many lines from the end", lines)
    .addHelpText(
      "after",
      "\nExamples:\n  evm logs school-web-0000\n  evm logs school-linux-0001 --tail 20 -f",
    )
    .action(
      run(async ({ client, terminal, isJson, signal }, name: string, options: Options) => {
        const request = {
          name,
          follow: options.follow === true,
          ...(options.tail === undefined ? {} : { tailLines: options.tail }),
        };
        const method = InstanceService.method.streamLogs;
        for await (const piece of client.serverStream(method, request, { signal })) {
          if (isJson) terminal.out(messageLine(StreamLogsResponseSchema, piece));
          else await terminal.outBytes(piece.data);
        }
      }),
    );
}

function lines(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}
