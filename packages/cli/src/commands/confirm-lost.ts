import { ConfirmLostResponseSchema, HostService } from "@evm/protocol";
import type { Command } from "commander";
import { addConfirmOption, type ConfirmOptions, confirmedBy } from "../confirm-option.ts";
import { callOptions } from "../context.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";

type Options = ConfirmOptions & { readonly allSilent?: boolean };

export function addConfirmLost(hosts: Command, run: Run): void {
  const command = hosts
    .command("confirm-lost [hosts...]")
    .summary("say that silent hosts are lost indeed")
    .description(
      "When many hosts fall silent at once, EVM takes itself to be cut off from them and moves\n" +
        "nothing. This says that they are lost indeed, so that their instances begin elsewhere:\n" +
        "only for hosts that have no power, or no users either, or what still runs there runs\n" +
        "twice. It serves until such a host is back.",
    )
    .option("--all-silent", "every host that evm hosts shows as silent")
    .addHelpText(
      "after",
      "\nExamples:\n  evm hosts confirm-lost h7 --confirm 1\n" +
        "  evm hosts confirm-lost --all-silent --confirm 20",
    );
  addConfirmOption(command, "hosts these are").action(
    run(async (context, names: readonly string[], options: Options) => {
      const { client, terminal, isJson } = context;
      const method = HostService.method.confirmLost;
      const isAllSilent = options.allSilent === true;
      const request = { names: [...names], isAllSilent, ...confirmedBy(options) };
      const reply = await client.unary(method, request, callOptions(context));
      if (isJson) terminal.out(messageJson(ConfirmLostResponseSchema, reply));
      else terminal.out(lostText(reply.hosts.map((host) => host.name)));
    }),
  );
}

const lostText = (names: readonly string[]): string =>
  names.length === 0 ? "no host is silent\n" : `${names.join(", ")} confirmed to be lost\n`;
