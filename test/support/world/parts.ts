/** What runs on the machines of a world: the programs as they are shipped, as on a rack. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { natsServerBinary } from "../nats-server.ts";
import { WallClock } from "./clock.ts";
import { Machine } from "./machine.ts";
import { controlGroups, type Room } from "./room.ts";
import { containerdOf, dockerdOf, domainsOf, libvirtdOf, saveImages } from "./runtimes.ts";
import type { Service } from "./service.ts";

export type NatsNode = { readonly machine: Machine; readonly server: Service };

export type CoordinatorNode = {
  readonly id: string;
  readonly machine: Machine;
  readonly coordinator: Service;
  /** Where this process finds its API: an address for `GrpcClient` and `evm --server`. */
  readonly api: string;
  readonly clock: WallClock;
};

export type HostNode = {
  readonly name: string;
  readonly machine: Machine;
  readonly agent: Service;
  readonly dockerd: Service;
  /** As on Debian, a service of its own: what runs needs no dockerd to go on. */
  readonly containerd: Service;
  /** Where the world has VMs. */
  readonly libvirtd: Service | undefined;
  /** Of its dockerd, for this process too. */
  readonly dockerSocket: string;
  /** Holds a folder with the settings of each container, for this process. */
  readonly containers: string;
  /** Holds a control group for each container that runs. */
  readonly controlGroup: string;
  /** Holds a file for each VM that is defined, for this process. */
  readonly domains: string;
  readonly clock: WallClock;
};

/** Settings of a program, beside those that a world needs. */
export type Settings = Readonly<Record<string, unknown>>;

const API_PORT = 7070;
/** The streams of a test are small; full, it is filled by a test. */
const NATS_DISK_MIB = 128;
/** Dozens of small containers; a coordinator has no use for a disk. */
const HOST_DISK_MIB = 256;
/** The same, and an image with the disks that are made of it. */
const VM_DISK_MIB = 1024;
const COORDINATOR_DISK_MIB = 1;

const NUMBERS = { nats: 1, coordinator: 101, host: 201 } as const;

const repository = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Servers of one cluster, with the settings that are shipped. */
export async function natsNodes(room: Room, count: number): Promise<readonly NatsNode[]> {
  const binary = natsServerBinary();
  if (binary === undefined) throw new Error("there is no nats-server; run scripts/setup");
  const machines = await makeMachines(room, "nats", count, NATS_DISK_MIB);
  return machines.map((machine) => {
    const others = machines.filter((other) => other !== machine);
    const server = machine.service({
      name: "nats-server",
      command: [binary, "-c", repository("deploy/nats/nats-server.conf")],
      environment: {
        EVM_NATS_NAME: machine.name,
        EVM_NATS_ROUTES: JSON.stringify(others.map(({ address }) => `nats://${address}:6222`)),
        EVM_NATS_STORE: machine.disk,
      },
      isUp: () => isHealthy(machine),
    });
    return { machine, server };
  });
}

const isHealthy = (machine: Machine): Promise<boolean> =>
  machine.run("busybox", "wget", "-qO-", "http://127.0.0.1:8222/healthz").then(
    () => true,
    () => false,
  );

export async function coordinatorNodes(
  room: Room,
  count: number,
  settings: Settings,
): Promise<readonly CoordinatorNode[]> {
  const machines = await makeMachines(room, "coordinator", count, COORDINATOR_DISK_MIB);
  return await Promise.all(
    machines.map(async (machine) => {
      const clock = await WallClock.make(join(room.folder, `${machine.name}.clock`));
      const config = join(room.folder, `${machine.name}.yaml`);
      const api = { address: machine.address, port: API_PORT };
      await writeFile(config, JSON.stringify({ id: machine.name, api, ...settings }));
      const coordinator = machine.service({
        name: "coordinator",
        command: [process.execPath, repository("dist/evm-coordinator.mjs"), "--config", config],
        environment: clock.environment,
        isUp: (output) => output.includes('"text":"serving"'),
      });
      const socket = socketOf(room, machine);
      return { id: machine.name, machine, coordinator, api: `unix:${socket}`, clock };
    }),
  );
}

/** For the relay: which socket leads where. */
export const relayRoutes = (
  room: Room,
  nodes: readonly CoordinatorNode[],
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    nodes.map(({ machine }) => [socketOf(room, machine), `${machine.address}:${API_PORT}`]),
  );

const socketOf = (room: Room, machine: Machine): string =>
  join(room.folder, `${machine.name}.sock`);

export async function hostNodes(
  room: Room,
  { count, hasVms }: { readonly count: number; readonly hasVms: boolean },
  settings: Settings,
): Promise<readonly HostNode[]> {
  await saveImages(room);
  const machines = await makeMachines(room, "host", count, hasVms ? VM_DISK_MIB : HOST_DISK_MIB);
  return await Promise.all(
    machines.map(async (machine) => {
      const clock = await WallClock.make(join(room.folder, `${machine.name}.clock`));
      const { name, disk } = machine;
      const dockerSocket = join(room.folder, `${name}.docker.sock`);
      const config = join(room.folder, `${name}.yaml`);
      const pool = join(disk, "pool");
      await room.run("mkdir", pool);
      const given = {
        host: name,
        stateDir: join(disk, "agent"),
        pools: [{ name: "main", path: pool }],
        drivers: hasVms ? ["container", "vm"] : ["container"],
        docker: { socketPath: dockerSocket },
        reserve: { memoryMib: 0, diskMib: 0 },
      };
      await writeFile(config, JSON.stringify({ ...given, ...settings }));
      const agent = machine.service({
        name: "agent",
        command: [process.execPath, repository("dist/evm-agent.mjs"), "--config", config],
        environment: clock.environment,
        isUp: (output) => output.includes('"text":"ready"'),
      });
      return {
        name,
        machine,
        agent,
        containerd: await containerdOf(room, machine),
        dockerd: dockerdOf(room, machine, dockerSocket),
        libvirtd: hasVms ? libvirtdOf(machine) : undefined,
        dockerSocket,
        containers: room.path(join(disk, "docker", "containers")),
        controlGroup: join(controlGroups(), room.mark, name),
        domains: room.path(domainsOf(machine)),
        clock,
      };
    }),
  );
}

/** nats-1, nats-2 and so on. */
const makeMachines = (
  room: Room,
  kind: keyof typeof NUMBERS,
  count: number,
  diskMib: number,
): Promise<readonly Machine[]> =>
  Promise.all(
    Array.from({ length: count }, (_, index) =>
      Machine.make(room, { name: `${kind}-${index + 1}`, number: NUMBERS[kind] + index, diskMib }),
    ),
  );
