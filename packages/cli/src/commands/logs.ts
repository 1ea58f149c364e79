import { InstanceService, type RpcError, StreamLogsResponseSchema } from "@evm/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { messageLine } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { resumedLogs } from "../watch/resumed-logs.ts";

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
        const follow = options.follow === true;
        async function* open(tailLines: number | undefined): AsyncGenerator<Uint8Array> {
          const request = { name, follow, ...(tailLines === undefined ? {} : { tailLines }) };
          const method = InstanceService.method.streamLogs;
          for await (const { data } of client.serverStream(method, request, { signal })) yield data;
        }
        const onBreak = ({ message }: RpcError) => terminal.err(`${message}; trying again\n`);
        const { tail: tailLines } = options;
        const pieces = follow ? resumedLogs({ open, tailLines, onBreak, signal }) : open(tailLines);
        for await (const data of pieces) {
          if (isJson) terminal.out(messageLine(StreamLogsResponseSchema, { data }));
          else await terminal.outBytes(data);
        }
      }),
    );
}

function lines(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}
