/** The parts of EVM, each started by itself as on a rack, with files and variables. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { EVM, Evm } from "./evm.ts";
import type { Footprint } from "./footprint.ts";
import { Program } from "./program.ts";

type PartsOptions = {
  readonly pool: string;
  /** Of the agent, beside those that every test needs. */
  readonly settings?: object;
  /** The same of the coordinator. */
  readonly coordinator?: object;
};

/** A nats-server, a coordinator and an agent; each can be killed and started again. */
export class Parts implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly #footprint: Footprint;
  #coordinator: Program | undefined;
  readonly #others: Program[] = [];
  #agent: Program | undefined;
  #evm: Evm | undefined;
  #agentTelemetry = "";

  private constructor(footprint: Footprint, nats: NatsServer) {
    this.#footprint = footprint;
    this.nats = nats;
  }

  static async start(footprint: Footprint, options: PartsOptions): Promise<Parts> {
    const parts = new Parts(footprint, await startNatsServer());
    try {
      await parts.#configure(options);
      await parts.startCoordinator();
      await parts.startAgent();
      return parts;
    } catch (error) {
      await parts[Symbol.asyncDispose]();
      throw error;
    }
  }

  get coordinator(): Program {
    return started(this.#coordinator);
  }

  get agent(): Program {
    return started(this.#agent);
  }

  /** Talks to the coordinator that was started last. */
  get evm(): Evm {
    return started(this.#evm);
  }

  async startCoordinator(): Promise<void> {
    const program = this.#newCoordinator("c1");
    this.#coordinator = program;
    this.#evm = new Evm(await apiOf(program));
  }

  /** One beside the first; ends with the others. */
  async startAnotherCoordinator(id: string): Promise<{ program: Program; api: string }> {
    const program = this.#newCoordinator(id);
    this.#others.push(program);
    return { program, api: await apiOf(program) };
  }

  #newCoordinator(id: string): Program {
    const file = join(this.#footprint.folder, "coordinator.yaml");
    const servers = JSON.stringify([this.nats.url]);
    return new Program({
      command: process.execPath,
      arguments: [EVM, "coordinator", "--config", file],
      environment: { EVM_COORDINATOR_ID: id, EVM_COORDINATOR_NATS_SERVERS: servers },
    });
  }

  async startAgent(): Promise<void> {
    const file = join(this.#footprint.folder, "agent.yaml");
    const program = new Program({
      command: process.execPath,
      arguments: [EVM, "agent", "--config", file],
      environment: { EVM_AGENT_NATS_SERVERS: JSON.stringify([this.nats.url]) },
    });
    this.#agent = program;
    const [, port] = await program.said(/"text":"serving metrics".*"port":(\d+)/);
    this.#agentTelemetry = `http://127.0.0.1:${port}`;
    await program.said(/"text":"ready"/);
  }

  /** How many instances the agent itself has in this phase. */
  async countedByAgent(phase: string): Promise<number> {
    const metrics = await (await fetch(`${this.#agentTelemetry}/metrics`)).text();
    const lines = metrics.split("\n").filter((line) => line.startsWith("evm_instances{"));
    return lines
      .filter((line) => line.includes(`phase="${phase}"`))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.end();
    await this.#coordinator?.end();
    for (const other of this.#others) await other.end();
    await this.nats[Symbol.asyncDispose]();
  }

  async #configure(options: PartsOptions): Promise<void> {
    const { pool, settings = {} } = options;
    const { folder, name } = this.#footprint;
    const coordinator = { api: { port: 0 }, metrics: { port: 0 }, ...options.coordinator };
    const agent = {
      host: name,
      stateDir: join(folder, "agent"),
      pools: [{ name: "main", path: pool }],
      reserve: { diskMib: 0 },
      metrics: { port: 0 },
      ...settings,
    };
    await writeFile(join(folder, "coordinator.yaml"), JSON.stringify(coordinator));
    await writeFile(join(folder, "agent.yaml"), JSON.stringify(agent));
  }
}

async function apiOf(coordinator: Program): Promise<string> {
  const [, api = ""] = await coordinator.said(/"text":"serving".*"api":"([^"]+)"/);
  return api;
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("it has not been started");
  return part;
}
