import { writeFile } from "node:fs/promises";
import { clusterExportCodec, formatExport } from "@evm/codec";
import { ClusterService, ExportClusterResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { CliError, reasonOf } from "../cli-error.ts";
import { callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";

type Options = { readonly output?: string };

const EXAMPLES = `
Examples:
  evm export -o cluster.yaml
  evm export | diff cluster.yaml -`;

export function addExport(program: Command, run: Run): void {
  program
    .command("export")
    .summary("write down everything that was declared")
    .description(
      "Writes fleets, images and the state of hosts as one YAML document, for `evm restore`.\n" +
        "A coordinator whose store lost its data still knows them until it is restarted.",
    )
    .option("-o, --output <file>", "write to this file instead of the standard output")
    .addHelpText("after", EXAMPLES)
    .action(
      run(async (context, { output }: Options) => {
        const { client, terminal, isJson } = context;
        const reply = await client.unary(
          ClusterService.method.exportCluster,
          {},
          callOptions(context),
        );
        const text = isJson
          ? messageJson(ExportClusterResponseSchema, reply)
          : formatExport(clusterExportCodec.fromWire(reply.export));
        if (output === undefined) terminal.out(text);
        else await write(output, text);
      }),
    );
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new CliError("failed", `writing ${file}: ${reasonOf(cause)}`, { cause });
  }
}
