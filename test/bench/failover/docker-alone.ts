/**
 * Docker alone, on machines like the others': a loop that knows what to do next, so many at once.
 * Nobody plans, looks or reports: what it takes is the floor.
 */
import type { HostNode } from "../../support/world/parts.ts";
import type { World } from "../../support/world/world.ts";
import { docker, dockerObject } from "../support/docker-api.ts";
import { inParallel } from "../support/pool.ts";
import { IDLE, LIMITS, type PartOptions, type Row, timed, WHAT } from "./model.ts";
import { worldWithoutEvm } from "./without-evm.ts";

const SYSTEM = "Docker alone";
const BYTES_PER_MIB = 1024 * 1024;
const NANO_CPUS_PER_MILLI = 1_000_000;

type Part = (rack: DockerRack, options: PartOptions) => Promise<Row>;

const part =
  (what: string, atOnce: number): Part =>
  async (rack, { rounds, containers }) => {
    const ms: number[] = [];
    for (let round = 0; round < rounds; round += 1) ms.push(await rack.update(containers, atOnce));
    return { what, system: SYSTEM, ms };
  };

export const DOCKER_PARTS: Readonly<Record<string, Part>> = {
  "update-10": part(WHAT.updateByTen, 10),
  "update-1": part(WHAT.updateOneByOne, 1),
};

type Container = { readonly host: HostNode; id: string };

export class DockerRack implements AsyncDisposable {
  readonly #world: World;

  private constructor(world: World) {
    this.#world = world;
  }

  static async start(): Promise<DockerRack> {
    return new DockerRack(await worldWithoutEvm());
  }

  /** Replaces each by a new one. */
  async update(count: number, atOnce: number): Promise<number> {
    const all = await this.#make(count);
    const ms = await timed(() =>
      inParallel(all, atOnce, async (one) => {
        await remove(one);
        one.id = await make(one.host);
      }),
    );
    await inParallel(all, atOnce, remove);
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
  }

  /** Spread over the hosts. */
  async #make(count: number): Promise<readonly Container[]> {
    const { hosts } = this.#world;
    const all = Array.from({ length: count }, (_, at) => hosts[at % hosts.length]);
    const made: Container[] = [];
    await inParallel(all, hosts.length, async (host) => {
      if (host !== undefined) made.push({ host, id: await make(host) });
    });
    return made;
  }
}

async function make({ dockerSocket }: HostNode): Promise<string> {
  const Memory = LIMITS.memoryMib * BYTES_PER_MIB;
  const options = {
    Image: "evm/busybox:1",
    Cmd: ["sh", "-c", IDLE],
    HostConfig: {
      ...{ Memory, MemorySwap: Memory, NanoCpus: LIMITS.vcpuMillis * NANO_CPUS_PER_MILLI },
      Init: true,
    },
  };
  const { Id } = await dockerObject("POST", "/containers/create", options, dockerSocket);
  await docker("POST", `/containers/${Id}/start`, undefined, dockerSocket);
  return String(Id);
}

async function remove({ host: { dockerSocket }, id }: Container): Promise<void> {
  const call = (method: string, path: string) =>
    docker(method, `/containers/${id}${path}`, undefined, dockerSocket);
  await call("POST", "/kill?signal=SIGTERM");
  await call("POST", "/wait?condition=not-running");
  await call("DELETE", "");
}
