/** The orders of all hosts, as they stand in the store. */
import { fileURLToPath } from "node:url";
import type { World } from "../../support/world/world.ts";

export type Ordered = { readonly epoch: number; readonly generation: number };

/** By host. Read by a program at the switch, from the store itself. */
export async function ordersIn(world: World): Promise<Readonly<Record<string, Ordered>>> {
  const program = fileURLToPath(new URL("./orders/main.ts", import.meta.url));
  const servers = JSON.stringify(world.natsServers);
  return JSON.parse(await world.run(process.execPath, program, servers));
}
