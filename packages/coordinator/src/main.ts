/** The program `evm-coordinator`: gives the coordinator the machine's clock, chance and store. */
import { parseArgs } from "node:util";
import { CodecError } from "@evm/codec";
import { VERSION } from "@evm/protocol";
import { type CoordinatorStore, connectCoordinator, StoreError } from "@evm/store";
import {
  EXIT,
  type Log,
  Metrics,
  runMain,
  runService,
  runTogether,
  serveTelemetry,
  systemClock,
} from "@evm/telemetry";
import { serveApi } from "./api/serve.ts";
import { type CoordinatorConfig, loadConfig } from "./config.ts";
import { Coordinator } from "./coordinator.ts";
import { exportable } from "./export.ts";
import { exportFolder } from "./export-folder.ts";
import { Exporter, type ExporterOptions } from "./exporter.ts";
import { createCoordinatorMetrics } from "./metrics.ts";

const USAGE = `usage: evm-coordinator [--config FILE]

Settings come from the YAML file FILE (or EVM_COORDINATOR_CONFIG) and from variables
EVM_COORDINATOR_*.
`;

/** Between attempts to reach the store, up to twice as long by chance. */
const CONNECT_PAUSE_MS = 500;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { config: { type: "string" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    process.stderr.write(USAGE);
    return EXIT.ok;
  }
  const config = loadConfig(values.config, process.env);
  return runService({
    program: "coordinator",
    level: config.logLevel,
    fields: { coordinator: config.id },
    run: (log, signal) => run(config, log, signal),
  });
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
    waveShare: config.blastRadius.waveShare,
    maxLostShare: config.brake.maxLostShare,
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
      context: {
        id: config.id,
        version: VERSION,
        coordinator,
        store,
        clock: systemClock,
        blastLimits: config.blastRadius,
      },
      address: `${config.api.address}:${config.api.port}`,
      log,
      metrics,
    }),
  );
  log.info("serving", { api: `${config.api.address}:${api.port}`, metrics: telemetry.port });
  const loops = [(end: AbortSignal) => coordinator.run(end)];
  const exporter = exporterOf(config, { coordinator, store, log, metrics });
  if (exporter !== undefined) loops.push((end) => exporter.run(end));
  await runTogether(loops, signal);
}

type ExporterParts = Pick<ExporterOptions, "log" | "metrics"> & {
  readonly coordinator: Coordinator;
  readonly store: CoordinatorStore;
};

function exporterOf(
  { export: settings }: CoordinatorConfig,
  { coordinator, store, log, metrics }: ExporterParts,
): Exporter | undefined {
  if (settings === undefined) return undefined;
  const { path, intervalMs, keep } = settings;
  const { announcer } = coordinator;
  const clock = systemClock;
  const take = () => exportable(coordinator, store, clock.now());
  const folder = exportFolder(path);
  return new Exporter({ folder, intervalMs, keep, take, clock, log, announcer, metrics });
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

await runMain(main, (error) => error instanceof CodecError);
