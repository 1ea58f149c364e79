/** Real nats-server processes with a folder and free ports of their own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";

/** One server. Disposing of it ends the process and removes its data. */
export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>`; stays the same when it is stopped and started again. */
  readonly url: string;
  readonly pid: number;
  /** Ends the process, by default as a crash would; the data stays. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with the same ports and data. */
  start(): Promise<void>;
  /** Destroys the data of one that was stopped, as the loss of its disk does. */
  loseData(): Promise<void>;
  /** Makes a backup of the data of one that was stopped, in place of the last. */
  backUpData(): Promise<void>;
  /** Puts the last backup in place of the data of one that was stopped. */
  putBackData(): Promise<void>;
}

/** Servers that replicate to each other. */
export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly NatsServer[];
  readonly urls: readonly string[];
}

/** A loaded machine may take seconds; a server that takes longer than this is broken. */
const START_TIMEOUT_MS = 30_000;

const PORTS_PROBE_INTERVAL_MS = 10;
const HEALTH_PROBE_INTERVAL_MS = 50;

/** The binary from `scripts/setup`, or else from PATH; undefined where there is none. */
export function natsServerBinary(): string | undefined {
  const own = fileURLToPath(new URL("../../tools/nats/nats-server", import.meta.url));
  const others = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((dir) => join(dir, "nats-server"));
  return [own, ...others].find(isExecutable);
}

/** Starts one server with JetStream. */
export async function startNatsServer(): Promise<NatsServer> {
  const server = new Server({ name: "n1" });
  await startAll([server]);
  return server;
}

/** Starts `size` servers as one cluster; its streams may have as many replicas. */
export async function startNatsCluster(size = 3): Promise<NatsCluster> {
  const routePorts = await freePorts(size);
  const servers = routePorts.map(
    (routePort, index) => new Server({ name: `n${index + 1}`, routePort, routePorts }),
  );
  await startAll(servers);
  return {
    servers,
    urls: servers.map((server) => server.url),
    [Symbol.asyncDispose]: () => disposeAll(servers),
  };
}

/** Starts all or none. */
async function startAll(servers: readonly Server[]): Promise<void> {
  try {
    await Promise.all(servers.map((server) => server.start()));
    await Promise.all(servers.map((server) => server.healthy()));
  } catch (error) {
    await disposeAll(servers);
    throw error;
  }
}

async function disposeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}

/** What a server writes down about itself once it listens. */
interface Ports {
  readonly nats: readonly string[];
  readonly monitoring: readonly string[];
}

interface ServerOptions {
  readonly name: string;
  /** Its own among its cluster's route ports; undefined for a server on its own. */
  readonly routePort?: number;
  readonly routePorts?: readonly number[];
}

class Server implements NatsServer {
  readonly #options: ServerOptions;
  #directory: TemporaryDirectory | undefined;
  #process: ChildProcess | undefined;
  /** Known from the first start on, and kept. */
  #ports: Ports | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#known().nats[0] ?? "";
  }

  get pid(): number {
    const pid = this.#process?.pid;
    assert(pid !== undefined, `${this.#options.name} does not run`);
    return pid;
  }

  async start(): Promise<void> {
    const binary = natsServerBinary();
    if (binary === undefined) throw new Error("start nats-server: not found; run scripts/setup");
    this.#directory ??= await temporaryDirectory("nats");
    const directory = this.#directory.path;
    await writeFile(join(directory, "server.conf"), this.#config(directory));
    const log = openSync(join(directory, "server.log"), "a");
    // It ends with this process, also if this process is killed.
    const child = spawn(
      "setpriv",
      ["--pdeathsig", "KILL", binary, "-c", join(directory, "server.conf")],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    this.#process = child;
    this.#ports = await this.#listening(child, directory);
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  async loseData(): Promise<void> {
    await rm(this.#stopped("jetstream"), { recursive: true });
  }

  async backUpData(): Promise<void> {
    const backup = this.#stopped("backup");
    await rm(backup, { recursive: true, force: true });
    await cp(this.#stopped("jetstream"), backup, { recursive: true });
  }

  async putBackData(): Promise<void> {
    await this.loseData();
    await cp(this.#stopped("backup"), this.#stopped("jetstream"), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#directory?.[Symbol.asyncDispose]();
  }

  /** Waits until it, and its cluster if it has one, accepts JetStream requests. */
  async healthy(): Promise<void> {
    const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
    const probe = `${this.#known().monitoring[0]}/healthz`;
    while (!(await fetch(probe, { signal: deadline })).ok) {
      await setTimeout(HEALTH_PROBE_INTERVAL_MS, undefined, { signal: deadline });
    }
  }

  /** A folder of one that was stopped. */
  #stopped(name: string): string {
    assert(this.#process === undefined, `${this.#options.name} runs`);
    assert(this.#directory !== undefined, `${this.#options.name} has not been started`);
    return join(this.#directory.path, name);
  }

  #known(): Ports {
    assert(this.#ports !== undefined, `${this.#options.name} has not been started`);
    return this.#ports;
  }

  #config(directory: string): string {
    const listen = (url: string | undefined) =>
      url === undefined ? "127.0.0.1:-1" : new URL(url).host;
    const { name, routePort, routePorts = [] } = this.#options;
    const routes = routePorts.filter((port) => port !== routePort);
    return JSON.stringify({
      server_name: name,
      listen: listen(this.#ports?.nats[0]),
      http: listen(this.#ports?.monitoring[0]),
      ports_file_dir: directory,
      jetstream: { store_dir: join(directory, "jetstream"), sync_interval: "always" },
      ...(routePort !== undefined && {
        cluster: {
          name: "evm",
          listen: `127.0.0.1:${routePort}`,
          routes: routes.map((port) => `nats://127.0.0.1:${port}`),
        },
      }),
    });
  }

  /** Waits for the ports that the server has been given; fails as soon as it ends instead. */
  async #listening(child: ChildProcess, directory: string): Promise<Ports> {
    const ended = new AbortController();
    const settled = AbortSignal.any([ended.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    child.once("exit", () => ended.abort());
    child.once("error", () => ended.abort());
    const file = join(directory, `nats-server_${child.pid}.ports`);
    try {
      while (true) {
        const text = await readFile(file, "utf8").catch(() => "");
        if (text.endsWith("}")) return JSON.parse(text) as Ports;
        await setTimeout(PORTS_PROBE_INTERVAL_MS, undefined, { signal: settled });
      }
    } catch (cause) {
      await this.stop();
      const log = await readFile(join(directory, "server.log"), "utf8");
      throw new Error(`start nats-server ${this.#options.name}: it does not listen:\n${log}`, {
        cause,
      });
    }
  }
}

/**
 * Ports that nobody listens on, all held at the same time so that they differ. A cluster's servers
 * must know each other's ports before any of them is up.
 */
async function freePorts(count: number): Promise<readonly number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(holders.map((holder) => once(holder, "listening")));
  const ports = holders.map((holder) => {
    const address = holder.address();
    assert(address !== null && typeof address === "object");
    return address.port;
  });
  await Promise.all(holders.map((holder) => holder[Symbol.asyncDispose]()));
  return ports;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
