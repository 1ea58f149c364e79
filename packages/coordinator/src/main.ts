/** The program `evm-coordinator`: gives the coordinator the machine's clock, chance and store. */
import { parseArgs } from "node:util";
import { CodecError } from "@evm/codec";
import { type CoordinatorStore, connectCoordinator, StoreError } from "@evm/store";
import {
  createLog,
  errorText,
  type Log,
  Metrics,
  serveTelemetry,
  systemClock,
} from "@evm/telemetry";
import { serveApi } from "./api/serve.ts";
import { type CoordinatorConfig, loadConfig } from "./config.ts";
import { Coordinator } from "./coordinator.ts";
import { createCoordinatorMetrics } from "./metrics.ts";

const USAGE = `usage: evm-coordinator [--config FILE]

Settings come from the YAML file FILE (or EVM_COORDINATOR_CONFIG) and from variables
EVM_COORDINATOR_*.
`;

/** What the process ends with. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
/** Between attempts to reach the store, up to twice as long by chance. */
const CONNECT_PAUSE_MS = 500;
/** The version that the API tells; the package's own. */
const VERSION = "0.1.0";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { config: { type: "string" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    process.stderr.write(USAGE);
    return EXIT.ok;
  }
  const config = loadConfig(values.config, process.env);
  const end = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => end.abort());
  const log = createLog({
    program: "coordinator",
    level: config.logLevel,
    format: process.stdout.isTTY ? "text" : "json",
    write: (line) => process.stdout.write(line),
    now: systemClock.now,
  }).child({ coordinator: config.id });
  try {
    await run(config, log, end.signal);
    return EXIT.ok;
  } catch (error) {
    if (end.signal.aborted) return EXIT.ok;
    log.error("the coordinator has failed", { error });
    return EXIT.failed;
  }
}

async function run(config: CoordinatorConfig, log: Log, signal: AbortSignal): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const store = resources.use(await connected(config, log, signal));
  const registry = new Metrics();
  const metrics = createCoordinatorMetrics(registry);
  const coordinator = new Coordinator({
    id: config.id,
    store,
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    lease: config.lease,
    overcommit: config.overcommit,
  });
  const telemetry = resources.use(
    await serveTelemetry({
      ...config.metrics,
      registry: registry.registry,
      health: () =>
        store.isConnected ? { ok: true } : { ok: false, reason: "cut off from the store" },
    }),
  );
  const api = resources.use(
    await serveApi({
      context: { id: config.id, version: VERSION, coordinator, store, clock: systemClock },
      address: `${config.api.address}:${config.api.port}`,
      log,
      metrics,
    }),
  );
  log.info("serving", { api: `${config.api.address}:${api.port}`, metrics: telemetry.port });
  await coordinator.run(signal);
}

/** Waits for a store that is away; one that lacks what EVM needs is an error at once. */
async function connected(
  config: CoordinatorConfig,
  log: Log,
  signal: AbortSignal,
): Promise<CoordinatorStore> {
  for (;;) {
    try {
      return await connectCoordinator({
        servers: config.natsServers,
        user: config.natsUser,
        password: config.natsPassword,
        id: config.id,
        replicas: config.natsReplicas,
        signal,
        onError: (error) => log.warn("trouble with the store", { error }),
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StoreError) || !error.isTransient) throw error;
      log.warn("the store is not there yet", { error });
      await systemClock.sleep(CONNECT_PAUSE_MS * (1 + Math.random()), signal);
    }
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsers = error instanceof CodecError || (error instanceof TypeError && "code" in error);
  if (!isUsers) throw error;
  process.stderr.write(`${errorText(error)}\n`);
  process.exitCode = EXIT.usage;
}
