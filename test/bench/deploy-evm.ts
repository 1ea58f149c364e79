/** EVM's half of the deploy bench, by its command line alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { addGuest, GUEST_IMAGE, GUEST_MEMORY_MIB, GUEST_UP } from "../support/guest.ts";
import { CONTAINER_FLEET, DISK_GIB, type Size, type Times, VM_FLEET } from "./deploy-model.ts";
import { DOCKER_SOCKET_PATH, isObject } from "./support/docker-api.ts";

/** Longer than `evm dev --ephemeral` gives itself to remove everything. */
const END_TIMEOUT_MS = 240_000;

/** `evm dev --ephemeral`. Disposing of it removes all that it runs. */
export class EvmDev implements AsyncDisposable {
  readonly #cli: string;
  readonly #signal: AbortSignal;
  readonly #process: ChildProcess;
  #api = "";

  private constructor(cli: string, signal: AbortSignal) {
    this.#cli = cli;
    this.#signal = signal;
    // A group of its own, so that Ctrl-C reaches it through this process alone, after its clients;
    // and it ends with this process, however that ends.
    this.#process = spawn(
      "setpriv",
      ["--pdeathsig", "TERM", process.execPath, cli, "dev", "--ephemeral", "--port", "0"],
      {
        detached: true,
        stdio: ["ignore", "pipe", "inherit"],
        env: {
          ...process.env,
          EVM_AGENT_DOCKER__SOCKET_PATH: DOCKER_SOCKET_PATH,
          // The question is how fast it deploys; how much a host may promise is another.
          EVM_COORDINATOR_OVERCOMMIT__VCPU: "1000",
          // And everything is removed at once, as its peers do it.
          EVM_COORDINATOR_BLAST_RADIUS__MIN_INSTANCES: "1000000",
          EVM_COORDINATOR_BLAST_RADIUS__WAVE_SHARE: "1",
        },
      },
    );
  }

  static async start(cli: string, signal: AbortSignal): Promise<EvmDev> {
    const dev = new EvmDev(cli, signal);
    try {
      dev.#api = await dev.#address();
      await dev.#evm(addGuest());
      return dev;
    } catch (error) {
      await dev[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Declares fleets of this size, waits for all of them to be ready, and removes them. */
  async deploy(size: Size, whileReady?: () => Promise<void>): Promise<Times> {
    const startedAt = Date.now();
    await this.#evm(["apply", "-f", "-", "--wait"], fleets(size));
    const allReady = Date.now() - startedAt;
    const since = await this.#readySince();
    await whileReady?.();
    const removedFrom = Date.now();
    await this.#evm(["delete", VM_FLEET, CONTAINER_FLEET, "--yes", "--wait"]);
    return {
      containersReady: (since.get(CONTAINER_FLEET) ?? startedAt) - startedAt,
      vmsReady: (since.get(VM_FLEET) ?? startedAt) - startedAt,
      allReady,
      removed: Date.now() - removedFrom,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), END_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    if (child.signalCode === "SIGKILL") {
      throw new Error(`evm dev did not end within ${END_TIMEOUT_MS / 1000} s and was killed`);
    }
  }

  async #address(): Promise<string> {
    const output = this.#process.stdout;
    if (output === null) throw new Error("evm dev: it has no output");
    for await (const line of createInterface({ input: output, signal: this.#signal })) {
      const [, api] = /^EVM is up\. +API (\S+)/.exec(line) ?? [];
      if (api === undefined) continue;
      // Nobody reads on.
      output.resume();
      return api;
    }
    this.#signal.throwIfAborted();
    throw new Error("evm dev ended before it was up");
  }

  /** When the last instance of each fleet became ready, in milliseconds since 1970. */
  async #readySince(): Promise<ReadonlyMap<string, number>> {
    const answer: unknown = JSON.parse(await this.#evm(["--json", "ps"]));
    const instances = isObject(answer) ? answer["instances"] : undefined;
    const latest = new Map<string, number>();
    for (const instance of Array.isArray(instances) ? instances : []) {
      if (!isObject(instance)) continue;
      const fleet = String(instance["fleet"]);
      latest.set(fleet, Math.max(latest.get(fleet) ?? 0, Number(instance["sinceMs"])));
    }
    return latest;
  }

  async #evm(words: readonly string[], input = ""): Promise<string> {
    const child = spawn(process.execPath, [this.#cli, "--server", this.#api, ...words], {
      stdio: ["pipe", "pipe", "pipe"],
      signal: this.#signal,
    });
    const closed = once(child, "close");
    // Where it ends before it has read everything, its status and words tell why.
    child.stdin.on("error", () => undefined).end(input);
    const [output, complaints] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      closed,
    ]);
    if (child.exitCode !== 0) throw new Error(`evm ${words.join(" ")}: ${complaints.trim()}`);
    return output;
  }
}

/** JSON is YAML: two documents of a fleet file. */
function fleets({ vms, containers }: Size): string {
  const vm = {
    name: VM_FLEET,
    replicas: vms,
    vm: { image: GUEST_IMAGE, readyWhenConsoleShows: GUEST_UP.trim() },
    resources: { vcpus: 1, memoryMib: GUEST_MEMORY_MIB, diskGib: DISK_GIB },
  };
  const container = {
    name: CONTAINER_FLEET,
    replicas: containers,
    container: { image: "evm/busybox:1", command: ["sleep", "1000000"] },
    resources: { vcpus: 0.1, memoryMib: 16 },
  };
  return [vm, container].map((fleet) => JSON.stringify(fleet)).join("\n---\n");
}
