/** The rack of those that EVM is compared with. */
import { createWorld, type World } from "../../support/world/world.ts";
import { HOSTS } from "./model.ts";

/** A world in which nothing of EVM's takes part. */
export async function worldWithoutEvm(): Promise<World> {
  const world = await createWorld({ hosts: HOSTS, coordinators: 1 });
  try {
    for (const { agent } of world.hosts) await agent.kill();
    for (const { coordinator } of world.coordinators) await coordinator.kill();
    for (const { server } of world.nats) await server.kill();
    return world;
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}
