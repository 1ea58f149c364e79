import { setTimeout as delay } from "node:timers/promises";
import { Liveness } from "@evm/protocol";
import type { CallContext } from "../../context.ts";
import { listHosts } from "../../lists.ts";

const LOOK_INTERVAL_MS = 100;

/** Until then the coordinator has not heard of the host, and plans nothing for it. */
export async function untilHostIsUp({ client, signal }: CallContext, name: string): Promise<void> {
  for (;;) {
    const hosts = await listHosts({ client, signal });
    if (hosts.some((host) => host.name === name && isUp(host))) return;
    await delay(LOOK_INTERVAL_MS, undefined, { signal });
  }
}

const isUp = ({ liveness, drivers }: { liveness: Liveness; drivers: readonly unknown[] }) =>
  liveness === Liveness.UP && drivers.length > 0;
