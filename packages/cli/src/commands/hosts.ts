import {
  type Host,
  HostAdmin,
  ListHostsResponseSchema,
  Liveness,
  TemplateKind,
} from "@evm/protocol";
import type { Command } from "commander";
import { listHosts } from "../lists.ts";
import { bytes, labels, mebibytes, vcpus } from "../output/format.ts";
import { messageJson } from "../output/json.ts";
import { table } from "../output/table.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import type { Run } from "../runner.ts";
import { addConfirmLost } from "./confirm-lost.ts";

export function addHosts(program: Command, run: Run): void {
  const command = program
    .command("hosts")
    .summary("show hosts")
    .description("Shows every host: what it offers, what is promised, what it can run.")
    .addHelpText("after", "\nExamples:\n  evm hosts\n  evm hosts --json")
    .action(
      run(async (context) => {
        const hosts = await listHosts(context);
        if (context.isJson) {
          context.terminal.out(messageJson(ListHostsResponseSchema, { hosts: [...hosts] }));
        } else {
          context.terminal.out(hostTable(context.terminal, hosts));
          for (const line of rivalLines(context.terminal, hosts)) context.terminal.out(line);
        }
      }),
    );
  addConfirmLost(command, run);
}

const hostTable = (terminal: Terminal, hosts: readonly Host[]): string =>
  table(
    terminal,
    hosts,
    [
      { title: "HOST", value: (host) => host.name },
      { title: "STATE", value: (host) => state(terminal, host) },
      { title: "ALIVE", value: (host) => String(host.alive), align: "right" },
      { title: "VCPUS", value: vcpuUse, align: "right" },
      { title: "MEMORY", value: memoryUse, align: "right" },
      { title: "POOLS", value: pools },
      { title: "RUNS", value: drivers },
      { title: "LABELS", value: (host) => labels(host.labels) },
    ],
    "No hosts yet. An agent makes its host known when it starts: evm agent",
  );

/** Of hosts whose name more than one machine bears. */
const rivalLines = (terminal: Terminal, hosts: readonly Host[]): readonly string[] =>
  hosts.flatMap(({ name, agent, rival }) => {
    if (rival === undefined) return [];
    const text = `two machines call themselves ${name}: agent ${agent ?? "unknown"} is the host`;
    return [`${styled(terminal, "red", `${text}, agent ${rival} is refused`)}\n`];
  });

function state(terminal: Terminal, { liveness, admin }: Host): string {
  const asked = askedOf(admin);
  switch (liveness) {
    case Liveness.UP:
      return styled(terminal, asked === "" ? "green" : "yellow", `up${asked}`);
    case Liveness.LOST:
      return styled(terminal, "red", `lost${asked}`);
    case Liveness.SILENT:
      return styled(terminal, "red", `silent${asked}`);
    case Liveness.MAINTENANCE:
      return styled(terminal, "dim", "in maintenance");
    default:
      return styled(terminal, "yellow", `unknown${asked}`);
  }
}

function askedOf(admin: HostAdmin): string {
  switch (admin) {
    case HostAdmin.CORDONED:
      return ", cordoned";
    case HostAdmin.DRAINING:
      return ", draining";
    default:
      return "";
  }
}

const vcpuUse = ({ promised, capacity }: Host): string =>
  `${vcpus(promised?.vcpuMillis ?? 0)} / ${vcpus(capacity?.vcpuMillis ?? 0)}`;

const memoryUse = ({ promised, capacity }: Host): string =>
  `${mebibytes(promised?.memoryMib ?? 0)} / ${mebibytes(capacity?.memoryMib ?? 0)}`;

const pools = (host: Host): string =>
  host.pools.map((pool) => `${pool.name} ${bytes(Number(pool.freeBytes))} free`).join(", ") || "-";

const drivers = (host: Host): string =>
  host.drivers
    .map(({ kind, isUsable, detail }) => {
      const name = kind === TemplateKind.VM ? "vm" : "container";
      return isUsable ? `${name} (${detail})` : `no ${name}: ${detail}`;
    })
    .join("; ") || "-";
