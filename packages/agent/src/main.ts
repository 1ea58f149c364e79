/** The program `evm-agent`: gives the agent the machine's own clock, chance, drivers and store. */
import { randomUUID } from "node:crypto";
import { access, constants } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { CodecError } from "@evm/codec";
import { connectHost } from "@evm/store";
import {
  EXIT,
  errorText,
  type Log,
  runMain,
  runService,
  runTogether,
  serveTelemetry,
  systemClock,
} from "@evm/telemetry";
import { Agent } from "./agent.ts";
import { loadAgentId } from "./agent-id.ts";
import { type AgentConfig, loadConfig } from "./config.ts";
import { describeFindings, examine } from "./doctor.ts";
import { lockFolder } from "./folder-lock.ts";
import { createAgentMetrics } from "./metrics.ts";
import { PatientStore } from "./patient-store.ts";
import { openStateDir } from "./state-dir.ts";
import { hostParts, slotsOf } from "./wiring.ts";

const USAGE = `usage: evm-agent [--config FILE]            run this host
       evm-agent doctor [--json] [--config FILE]  say what this machine lacks

Settings come from the YAML file FILE (or EVM_AGENT_CONFIG) and from variables EVM_AGENT_*.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      config: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [command = "run", ...rest] = positionals;
  if (values.help || rest.length > 0 || !["run", "doctor"].includes(command)) {
    process.stderr.write(USAGE);
    return values.help ? EXIT.ok : EXIT.usage;
  }
  const config = loadConfig(values.config, process.env);
  return command === "doctor" ? doctor(config, values.json) : run(config);
}

async function doctor(config: AgentConfig, isJson: boolean): Promise<number> {
  const findings = await examine(config, Math.random);
  const text = isJson ? `${JSON.stringify(findings, undefined, 2)}\n` : describeFindings(findings);
  process.stdout.write(text);
  return findings.some(({ status }) => status === "no") ? EXIT.failed : EXIT.ok;
}

const run = (config: AgentConfig): Promise<number> =>
  runService({
    program: "agent",
    level: config.logLevel,
    fields: { host: config.host },
    run: (log, signal) => runHost(config, log, signal),
  });

async function runHost(config: AgentConfig, log: Log, signal: AbortSignal): Promise<void> {
  await using resources = new AsyncDisposableStack();
  for (const { name, path } of config.pools) {
    await requirePool(name, path);
    resources.use(await lockFolder("pool", path));
  }
  const clock = systemClock;
  const metrics = createAgentMetrics();
  const store = resources.use(
    new PatientStore({
      host: config.host,
      connect: (limited) =>
        connectHost({
          servers: config.natsServers,
          user: config.natsUser,
          password: config.natsPassword,
          host: config.host,
          signal: limited,
          onError: (error) => log.warn("trouble with the store", { error }),
        }),
      clock,
      log,
    }),
  );
  const random = Math.random;
  const stateDir = resources.use(await openStateDir(config.stateDir));
  const id = await loadAgentId(stateDir, randomUUID);
  log.info("this machine's agent", { id });
  const agent = new Agent({
    id,
    store,
    ...hostParts({ config, store, random, resources }),
    stateDir,
    labels: config.labels,
    machine: { cpus: availableParallelism(), memoryBytes: totalmem() },
    reserve: config.reserve,
    slots: await slotsOf(),
    clock,
    random,
    log,
    metrics,
  });
  const server = resources.use(
    await serveTelemetry({
      ...config.metrics,
      registry: metrics.registry,
      health: () => agent.health,
    }),
  );
  log.info("serving metrics", { address: config.metrics.address, port: server.port });
  await runTogether([(both) => store.run(both), (both) => agent.run(both)], signal);
}

/** A pool is never made here: what looks like a missing folder may be a disk not mounted. */
async function requirePool(name: string, path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const text = `pool ${name}: ${path} is to be a folder that the agent can write to`;
    throw new Error(`${text}: ${errorText(error)}`, { cause: error });
  }
}

await runMain(main, (error) => error instanceof CodecError);
