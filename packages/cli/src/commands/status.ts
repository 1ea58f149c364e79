import {
  ClusterService,
  type GetClusterStatusResponse,
  GetClusterStatusResponseSchema,
} from "@evm/protocol";
import type { Command } from "commander";
import { callOptions } from "../context.ts";
import { phaseCounts } from "../output/format.ts";
import { messageJson } from "../output/json.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import { waitingLine } from "../plan-text.ts";
import type { Run } from "../runner.ts";

export function addStatus(program: Command, run: Run): void {
  program
    .command("status")
    .summary("show the cluster as a whole")
    .description("Shows who leads, how many hosts and instances there are, and what waits.")
    .addHelpText("after", "\nExamples:\n  evm status\n  evm status --json")
    .action(
      run(async (context) => {
        const { client, terminal, isJson } = context;
        const method = ClusterService.method.getClusterStatus;
        const status = await client.unary(method, {}, callOptions(context));
        terminal.out(
          isJson
            ? messageJson(GetClusterStatusResponseSchema, status)
            : statusText(terminal, status),
        );
      }),
    );
}

export function statusText(terminal: Terminal, status: GetClusterStatusResponse): string {
  const leader =
    status.leader === ""
      ? styled(terminal, "red", "nobody")
      : `${status.leader} (epoch ${status.epoch})`;
  const lines = [
    ...brakeLines(terminal, status),
    `coordinator  ${status.coordinator}, version ${status.version}`,
    `leader       ${leader}`,
    `revision     ${status.revision}`,
    `hosts        ${hostCounts(terminal, status)}`,
    `fleets       ${status.fleets}`,
    `instances    ${phaseCounts(status.instances)}`,
    ...status.waiting.map((item) => waitingLine(terminal, item)),
    ...status.notes.map((note) => `note: ${note}`),
  ];
  for (const doubt of status.doubts) {
    lines.push(styled(terminal, "yellow", `warning: ${doubt}`));
  }
  return `${lines.join("\n")}\n`;
}

function hostCounts(terminal: Terminal, status: GetClusterStatusResponse): string {
  const counts = [
    { count: status.hostsLost, text: styled(terminal, "red", `${status.hostsLost} lost`) },
    { count: status.hostsInMaintenance, text: `${status.hostsInMaintenance} in maintenance` },
    { count: status.hostsDraining, text: `${status.hostsDraining} draining` },
    { count: status.hostsCordoned, text: `${status.hostsCordoned} cordoned` },
  ];
  const others = counts.flatMap(({ count, text }) => (count === 0 ? [] : [text]));
  return [`${status.hostsUp} up`, ...others].join(", ");
}

/** Before all else: while it holds, nothing of many hosts is healed. */
function brakeLines(terminal: Terminal, { brake }: GetClusterStatusResponse): readonly string[] {
  if (brake === undefined) return [];
  const { silent, known, most, overdue } = brake;
  return [
    `${silent} of ${known} hosts are silent at once, more than ${most}: EVM takes itself to be`,
    "cut off from them, calls none of them lost and moves nothing, until enough are back.",
    "If they are lost indeed:",
    `  evm hosts confirm-lost --all-silent --confirm ${overdue}`,
    "",
  ].map((line) => styled(terminal, "red", line));
}
