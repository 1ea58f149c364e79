import { readFile } from "node:fs/promises";
import {
  CodecError,
  clusterExportCodec,
  parseExport,
  type Restored,
  restoredCodec,
} from "@evm/codec";
import { type ClusterExport, ClusterService, RestoreClusterResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { CliError, reasonOf } from "../cli-error.ts";
import { messageJson } from "../output/json.ts";
import { startQuietProgress } from "../output/progress.ts";
import { table } from "../output/table.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import type { Run } from "../runner.ts";

/** Every host is asked, 64 at a time for 5 s each at most; then everything is written. */
const RESTORE_DEADLINE_MS = 120_000;

type Options = {
  readonly file?: string;
  readonly without?: readonly string[];
  readonly dryRun?: boolean;
};

const EXAMPLES = `
Examples:
  evm restore -f cluster.yaml --dry-run
  evm restore -f cluster.yaml
  evm restore -f cluster.yaml --without h7 h8
  evm restore                              take in a host that a restore had left out`;

export function addRestore(program: Command, run: Run): void {
  program
    .command("restore")
    .summary("rebuild a control state that was lost")
    .description(
      "Rebuilds what coordinators know: fleets from an export, orders from the hosts, which go\n" +
        "by them still. Nothing that runs is stopped or moved. Every host has to answer, or be\n" +
        "left out: then what it ran may be started elsewhere.",
    )
    .option("-f, --file <file>", "an export; without one only what hosts are ordered is rebuilt")
    .option("--without <host...>", "hosts that need not answer")
    .option("--dry-run", "only show what would be written")
    .addHelpText("after", EXAMPLES)
    .action(
      run(async (context, { file, without = [], dryRun = false }: Options) => {
        const { client, terminal, isJson, signal } = context;
        const kept = file === undefined ? {} : { export: await readExport(file) };
        const request = { ...kept, without: [...without], isDryRun: dryRun };
        const options = { signal, deadlineMs: RESTORE_DEADLINE_MS };
        using progress = startQuietProgress(terminal);
        progress.update("asking every host for its orders");
        const reply = await client.unary(ClusterService.method.restoreCluster, request, options);
        if (isJson) terminal.out(messageJson(RestoreClusterResponseSchema, reply));
        else terminal.out(restoredText(terminal, restoredCodec.fromWire(reply), dryRun));
      }),
    );
}

async function readExport(file: string): Promise<ClusterExport> {
  try {
    return clusterExportCodec.toWire(parseExport({ file, text: await readFile(file, "utf8") }));
  } catch (cause) {
    if (cause instanceof CodecError) {
      throw new CliError("usage", `${cause.message}\nnothing was changed`, { cause });
    }
    throw new CliError("usage", `reading ${file}: ${reasonOf(cause)}`, { cause });
  }
}

const FLEET_SOURCES = {
  kept: "the export",
  stored: "the control state",
  orders: "the orders alone",
} as const satisfies Record<Restored["fleets"][number]["source"], string>;

const ORDERS_SOURCES = {
  answer: "the host",
  stored: "the control state",
  new: "never any",
  none: "unknown: left out",
} as const satisfies Record<Restored["hosts"][number]["source"], string>;

function restoredText(
  terminal: Terminal,
  { fleets, hosts, notes }: Restored,
  isDryRun: boolean,
): string {
  const parts = [
    table(
      terminal,
      fleets,
      [
        { title: "FLEET", value: (fleet) => fleet.name },
        { title: "FROM", value: (fleet) => FLEET_SOURCES[fleet.source] },
        { title: "REPLICAS", value: (fleet) => String(fleet.replicas), align: "right" },
        { title: "ORDERED", value: (fleet) => String(fleet.running), align: "right" },
      ],
      "no fleets",
    ),
    table(
      terminal,
      hosts,
      [
        { title: "HOST", value: (host) => host.name },
        { title: "ORDERS FROM", value: (host) => ORDERS_SOURCES[host.source] },
        { title: "GENERATION", value: (host) => String(host.generation), align: "right" },
        { title: "ORDERED", value: (host) => String(host.running), align: "right" },
      ],
      "no hosts",
    ),
  ];
  if (notes.length > 0) {
    const lines = notes.map((note) => `${styled(terminal, "yellow", "note:")} ${note}`);
    parts.push(`${lines.join("\n")}\n`);
  }
  parts.push(
    isDryRun
      ? "nothing was written: this was a dry run\n"
      : "restored; planning goes on in some seconds\n",
  );
  return parts.join("\n");
}
