/**
 * A rack on one machine: NATS servers, coordinators and hosts, each a machine of its own for all
 * that it can tell, with faults that a test can make. Needs root, Docker, the programs in dist/.
 *
 *     await using world = await createWorld({ hosts: 4 });
 *     await world.hosts[0]?.machine.powerOff();
 */
import type { Machine } from "./machine.ts";
import type { CoordinatorNode, HostNode, NatsNode, Settings } from "./parts.ts";
import { coordinatorNodes, hostNodes, natsNodes, relayRoutes } from "./parts.ts";
import { startRelay } from "./relay.ts";
import { Room } from "./room.ts";
import type { Service } from "./service.ts";

export type WorldOptions = {
  readonly hosts: number;
  /** Whether every host has a libvirtd beside its dockerd; default: none has. */
  readonly hasVms?: boolean;
  /** Default: 3. */
  readonly coordinators?: number;
  /** Default: 3; the settings that are shipped are those of a cluster. */
  readonly nats?: 3 | 5;
  /** Of every coordinator, beside those that it needs. */
  readonly coordinatorSettings?: Settings;
  readonly agentSettings?: Settings;
};

export class World implements AsyncDisposable {
  readonly nats: readonly NatsNode[];
  readonly coordinators: readonly CoordinatorNode[];
  readonly hosts: readonly HostNode[];
  readonly #room: Room;
  readonly #resources: AsyncDisposableStack;

  constructor(
    parts: Pick<World, "nats" | "coordinators" | "hosts">,
    room: Room,
    resources: AsyncDisposableStack,
  ) {
    this.#room = room;
    this.nats = parts.nats;
    this.coordinators = parts.coordinators;
    this.hosts = parts.hosts;
    this.#resources = resources;
  }

  /** Addresses for whoever runs in this world. */
  get natsServers(): readonly string[] {
    return addressesOf(this.nats);
  }

  get machines(): readonly Machine[] {
    return [...this.nats, ...this.coordinators, ...this.hosts].map(({ machine }) => machine);
  }

  get services(): readonly Service[] {
    return this.machines.flatMap(({ services }) => services);
  }

  /** Runs a command where an operator would sit, at the switch. */
  run(command: string, ...words: readonly string[]): Promise<string> {
    return this.#room.run(command, ...words);
  }

  /** All of it loses its power. */
  async powerOff(): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.powerOff()));
  }

  /** Switches all of it on, and starts all at once: on a rack nobody waits for anybody. */
  async powerOn(): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.powerOn()));
    await Promise.all(this.services.map((service) => service.launch()));
  }

  /** Ends every fault: all machines are on and connected, and all that shall run there does. */
  async heal(): Promise<void> {
    for (const { machine, server } of this.nats) {
      // It has given up its streams, and takes them again only when it is started anew.
      if (await machine.emptyDisk()) await server.kill();
    }
    await Promise.all(
      this.machines.map(async (machine) => {
        await machine.powerOn();
        await machine.mend();
        await machine.emptyDisk();
      }),
    );
    for (const { clock } of [...this.coordinators, ...this.hosts]) await clock.step(0);
    for (const service of this.services) service.thaw();
    await startAll(this.nats.map(({ server }) => server));
    await startAll(this.hosts.map(({ containerd }) => containerd));
    await startAll(this.hosts.flatMap(({ dockerd, libvirtd }) => [dockerd, libvirtd ?? []].flat()));
    await startAll(this.coordinators.map(({ coordinator }) => coordinator));
    await startAll(this.hosts.map(({ agent }) => agent));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** Returns once everything is up. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const resources = new AsyncDisposableStack();
  try {
    const room = resources.use(await Room.open());
    const nats = await natsNodes(room, options.nats ?? 3);
    const natsServers = addressesOf(nats);
    const coordinatorSettings = { natsServers, ...options.coordinatorSettings };
    const agentSettings = { natsServers, ...options.agentSettings };
    const coordinators = await coordinatorNodes(
      room,
      options.coordinators ?? 3,
      coordinatorSettings,
    );
    const { hosts: count, hasVms = false } = options;
    const hosts = await hostNodes(room, { count, hasVms }, agentSettings);
    const world = new World({ nats, coordinators, hosts }, room, resources);
    for (const { machine } of [...nats, ...coordinators, ...hosts]) resources.use(machine);
    resources.use(await startRelay(room, relayRoutes(room, coordinators)));
    await world.heal();
    return world;
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

const addressesOf = (nodes: readonly NatsNode[]): readonly string[] =>
  nodes.map(({ machine }) => `nats://${machine.address}:4222`);

async function startAll(services: readonly Service[]): Promise<void> {
  await Promise.all(services.map((service) => service.start()));
}
