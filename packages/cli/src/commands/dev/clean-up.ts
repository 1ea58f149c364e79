/** Leaves nothing behind: deletes every fleet and waits until the host has removed what it ran. */
import { setTimeout as delay } from "node:timers/promises";
import { FleetService, type GrpcClient, RpcError } from "@evm/protocol";
import { CliError } from "../../cli-error.ts";
import { type CallContext, callOptions } from "../../context.ts";
import { listFleets, listHosts } from "../../lists.ts";
import { startProgress } from "../../output/progress.ts";
import type { Terminal } from "../../output/terminal.ts";

/** Stopping a hundred emulated VMs on a busy machine takes its time. */
const CLEAN_UP_TIMEOUT_MS = 180_000;
const LOOK_INTERVAL_MS = 200;

/** Fails where something is left after the time is up, or when `stop` fires; says what. */
export async function removeEverything(
  client: GrpcClient,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<void> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(CLEAN_UP_TIMEOUT_MS)]);
  const context: CallContext = { client, signal };
  using progress = startProgress(terminal);
  let left = "what is left is not known";
  try {
    for (const fleet of await listFleets(context)) {
      const name = fleet.spec?.name ?? "";
      await client.unary(FleetService.method.deleteFleet, { name }, callOptions(context));
    }
    for (;;) {
      const fleets = await listFleets(context);
      const hosts = await listHosts(context);
      const count = hosts.reduce((sum, host) => sum + host.existing, 0);
      if (fleets.length === 0 && count === 0) return;
      left = leftText(
        count,
        fleets.map(({ spec }) => spec?.name ?? ""),
      );
      progress.update(`removing all; ${left}. Ctrl-C again leaves that as it is.`);
      await delay(LOOK_INTERVAL_MS, undefined, { signal });
    }
  } catch (cause) {
    if (!signal.aborted) {
      if (!(cause instanceof RpcError)) throw cause;
      throw new CliError("failed", `clean-up: ${cause.message}; ${left}`, { cause });
    }
    const isFailure = stop.reason instanceof CliError;
    const why = isFailure ? stop.reason.message : stop.aborted ? "cut short" : "out of time";
    throw new CliError("failed", `clean-up: ${why}; ${left}`, { cause });
  }
}

function leftText(instances: number, fleets: readonly string[]): string {
  const count = instances === 1 ? "1 instance is" : `${instances} instances are`;
  return fleets.length === 0 ? `${count} left` : `${count} left, of ${fleets.join(", ")}`;
}
