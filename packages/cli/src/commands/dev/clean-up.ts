/** Leaves nothing behind: deletes every fleet and waits until the host has removed what it ran. */

import { setTimeout as delay } from "node:timers/promises";
import { FleetService, GrpcClient } from "@evm/protocol";
import { credentials } from "@grpc/grpc-js";
import { CliError } from "../../cli-error.ts";
import type { Context } from "../../context.ts";
import { callOptions } from "../../context.ts";
import { listFleets, listHosts } from "../../lists.ts";
import { startProgress } from "../../output/progress.ts";
import type { Terminal } from "../../output/terminal.ts";

/** Stopping a hundred emulated VMs on a busy machine takes its time. */
const CLEAN_UP_TIMEOUT_MS = 180_000;
const LOOK_INTERVAL_MS = 200;

/** Fails where something is left after the time is up, saying what. */
export async function removeEverything(api: string, terminal: Terminal): Promise<void> {
  using client = new GrpcClient(api, credentials.createInsecure());
  const signal = AbortSignal.timeout(CLEAN_UP_TIMEOUT_MS);
  const context: Context = { client, terminal, isJson: false, now: () => 0, signal };
  using progress = startProgress(terminal);
  for (const fleet of await listFleets(context)) {
    const name = fleet.spec?.name ?? "";
    await client.unary(FleetService.method.deleteFleet, { name }, callOptions(context));
  }
  for (;;) {
    const fleets = await listFleets(context);
    const hosts = await listHosts(context);
    const left = hosts.reduce((sum, host) => sum + host.existing, 0);
    if (fleets.length === 0 && left === 0) return;
    progress.update(`removing ${left} instances of ${fleets.length} fleets`);
    try {
      await delay(LOOK_INTERVAL_MS, undefined, { signal });
    } catch (error) {
      const names = fleets.map((fleet) => fleet.spec?.name).join(", ");
      throw new CliError("timeout", `clean-up: ${left} instances are left, of ${names}`, {
        cause: error,
      });
    }
  }
}
