/**
 * The whole of EVM as one process tree: a nats-server, a coordinator, an agent. They are the same
 * programs that run apart on a rack; only their settings are made up here.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CliError } from "../../cli-error.ts";
import { connect } from "../../connect.ts";
import { duration } from "../../output/format.ts";
import { startQuietProgress } from "../../output/progress.ts";
import type { Terminal } from "../../output/terminal.ts";
import { programFile } from "../programs.ts";
import { apiPort, assertFree } from "./api-port.ts";
import { untilHostIsUp } from "./host-up.ts";
import { findNatsServer, natsAddress, writeNatsConfig } from "./nats.ts";
import { Part } from "./part.ts";

export type DevOptions = {
  /** Undefined: below the user's home; with `isEphemeral` a throw-away folder. */
  readonly dataFolder: string | undefined;
  readonly isEphemeral: boolean;
  /** Of the API; 0: any free one. */
  readonly port: number;
  readonly isVerbose: boolean;
  readonly terminal: Terminal;
  /** In [0, 1). */
  readonly random: () => number;
  readonly environment: NodeJS.ProcessEnv;
};

/** A start that takes longer has failed; a first connection to a busy libvirtd takes seconds. */
const START_TIMEOUT_MS = 60_000;

export class DevCluster {
  readonly folder: string;
  readonly #options: DevOptions;
  /** In the order of their start. */
  readonly #parts: Part[] = [];
  readonly #failed = new AbortController();
  #api = "";
  #host = "";

  private constructor(options: DevOptions, folder: string) {
    this.#options = options;
    this.folder = folder;
  }

  /** Starts all of it, or nothing; returns once instances can be placed. */
  static async start(options: DevOptions, signal: AbortSignal): Promise<DevCluster> {
    await assertFree(apiPort(options));
    const folder = await makeFolder(options);
    const cluster = new DevCluster(options, folder);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    using progress = startQuietProgress(options.terminal);
    try {
      await cluster.#lock();
      await cluster.#start(limit, (part) => progress.update(`starting ${part}`));
      return cluster;
    } catch (error) {
      await cluster.stop();
      if (options.isEphemeral) await cluster.removeFolder();
      if (!limit.aborted || signal.aborted) throw error;
      const what = `${cluster.#parts.at(-1)?.name} is not ready`;
      const text = `${what} after ${duration(START_TIMEOUT_MS)}; --verbose shows what it does`;
      throw new CliError("timeout", text, { cause: error });
    }
  }

  /** Address of the API. */
  get api(): string {
    return this.#api;
  }

  /** The name of the only host. */
  get host(): string {
    return this.#host;
  }

  /** Fires when a part has ended by itself, with a `CliError` that says which and how. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Ends every part, the last started first. Instances go on running. */
  async stop(): Promise<void> {
    for (const part of this.#parts.toReversed()) await part.stop();
  }

  async removeFolder(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #start(signal: AbortSignal, onPart: (name: string) => void): Promise<void> {
    const { environment, port, isEphemeral } = this.#options;
    onPart("nats-server");
    const natsFolder = join(this.folder, "nats");
    await mkdir(natsFolder, { recursive: true });
    const config = await writeNatsConfig(natsFolder);
    const nats = this.#part("nats-server", findNatsServer(environment), ["-c", config], {});
    const servers = JSON.stringify([await natsAddress(nats, natsFolder, signal)]);
    const anyPort = isEphemeral || port === 0 ? { METRICS__PORT: "0" } : {};

    onPart("the coordinator");
    const coordinator = this.#program("coordinator", {
      ID: "dev",
      NATS_SERVERS: servers,
      API__PORT: String(port),
      ...anyPort,
    });
    const serving = await coordinator.line((line) => line.text === "serving", signal);
    this.#api = String(serving.fields["api"]);

    onPart("the agent");
    const pool = join(this.folder, "pool");
    await mkdir(pool, { recursive: true });
    const agent = this.#program("agent", {
      NATS_SERVERS: servers,
      STATE_DIR: join(this.folder, "agent"),
      POOLS: JSON.stringify([{ name: "dev", path: pool }]),
      ...(isEphemeral ? { HOST: `dev-${process.pid}` } : {}),
      ...anyPort,
    });
    const ready = await agent.line((line) => line.text === "ready", signal);
    this.#host = String(ready.fields["host"]);
    try {
      const either = AbortSignal.any([signal, this.failed]);
      using client = connect(this.#api, this.#options.random);
      await untilHostIsUp({ client, signal: either }, this.#host);
    } catch (error) {
      this.failed.throwIfAborted();
      throw error;
    }
  }

  #program(name: "coordinator" | "agent", settings: { readonly [name: string]: string }): Part {
    const prefix = `EVM_${name.toUpperCase()}_`;
    const entries = Object.entries(settings).map(([key, value]) => [`${prefix}${key}`, value]);
    return this.#part(name, process.execPath, [programFile(name)], Object.fromEntries(entries));
  }

  #part(
    name: string,
    command: string,
    given: readonly string[],
    settings: { readonly [name: string]: string },
  ): Part {
    const { environment, terminal, isVerbose } = this.#options;
    const part = new Part({
      name,
      command,
      arguments: given,
      // What the user set wins over what is made up here.
      environment: { ...settings, ...environment },
      terminal,
      isVerbose: isVerbose && name !== "nats-server",
    });
    this.#parts.push(part);
    void part.ended.then((how) => this.#failed.abort(new CliError("failed", `${name} ${how}`)));
    return part;
  }

  /** Two of these on one folder would spoil each other's data. */
  async #lock(): Promise<void> {
    const file = join(this.folder, "evm-dev.pid");
    const pid = Number(await readFile(file, "utf8").catch(() => "0"));
    if (pid !== 0 && pid !== process.pid && isRunning(pid)) {
      throw new CliError(
        "failed",
        `${this.folder} is in use by another \`evm dev\`, process ${pid}`,
      );
    }
    await writeFile(file, String(process.pid));
  }
}

async function makeFolder({ dataFolder, isEphemeral }: DevOptions): Promise<string> {
  if (isEphemeral) {
    const folder = await mkdtemp(join(tmpdir(), "evm-dev-"));
    // QEMU may run as another user, and reads the pool.
    await chmod(folder, 0o755);
    return folder;
  }
  const folder = resolve(dataFolder ?? defaultFolder());
  await mkdir(folder, { recursive: true });
  return folder;
}

const defaultFolder = (): string =>
  join(process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "evm", "dev");

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's may not be signalled, and runs.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
