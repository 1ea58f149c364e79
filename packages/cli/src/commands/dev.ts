import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { connect } from "../connect.ts";
import { styled, type Terminal } from "../output/terminal.ts";
import { DEFAULT_SERVER } from "../runner.ts";
import { removeEverything } from "./dev/clean-up.ts";
import { DevCluster } from "./dev/dev-cluster.ts";

type Options = {
  readonly data?: string;
  readonly ephemeral?: boolean;
  readonly port: string;
  readonly verbose?: boolean;
};

type DevContext = {
  readonly terminal: Terminal;
  /** In [0, 1). */
  readonly random: () => number;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Fires on a second one. */
  readonly hurry: AbortSignal;
};

export function addDev(program: Command, context: DevContext): void {
  program
    .command("dev")
    .summary("run all of EVM on this machine, without configuration")
    .description(
      "Runs a nats-server, a coordinator and an agent as one process tree. Data is kept between " +
        "runs, and instances go on running after it; with --ephemeral nothing of either is left.",
    )
    .option("--data <folder>", "where data is kept (default: ~/.local/share/evm/dev)")
    .option("--ephemeral", "a throw-away: at the end all instances and data are removed")
    .option("--port <port>", "port of the API on 127.0.0.1; 0: any free one", "7070")
    .option("-v, --verbose", "show every line of the log")
    .addHelpText("after", "\nExamples:\n  evm dev\n  evm dev --ephemeral --port 0")
    .action((options: Options) => dev(options, context));
}

async function dev(options: Options, context: DevContext): Promise<void> {
  const { terminal, random, signal } = context;
  const isEphemeral = options.ephemeral === true;
  if (isEphemeral && options.data !== undefined) {
    throw new CliError("usage", "--ephemeral uses a folder of its own; leave --data out");
  }
  const cluster = await DevCluster.start(
    {
      dataFolder: options.data,
      isEphemeral,
      port: parsePort(options.port),
      isVerbose: options.verbose === true,
      terminal,
      random,
      environment: process.env,
    },
    signal,
  );
  terminal.out(welcome(cluster, terminal));
  await untilAborted(AbortSignal.any([signal, cluster.failed]));
  await end(cluster, isEphemeral, context);
}

/** Ends all processes, whatever becomes of the clean-up; what that left behind stays findable. */
async function end(
  cluster: DevCluster,
  isEphemeral: boolean,
  { terminal, random, hurry }: DevContext,
): Promise<void> {
  try {
    // Without one of its parts nothing can be cleaned up.
    cluster.failed.throwIfAborted();
    const stop = AbortSignal.any([hurry, cluster.failed]);
    if (isEphemeral) {
      using client = connect(cluster.api, random);
      await removeEverything(client, terminal, stop);
    }
  } catch (error) {
    if (isEphemeral) {
      terminal.err(
        `What is left goes on running. To remove it: EVM_AGENT_HOST=${cluster.host} evm dev ` +
          `--data ${cluster.folder}, and evm delete.\n`,
      );
    }
    throw error;
  } finally {
    await cluster.stop();
  }
  if (isEphemeral) await cluster.removeFolder();
  else terminal.err("Stopped. Instances go on running; the next `evm dev` adopts them.\n");
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new CliError("usage", `--port "${text}": expected a number from 0 to 65535`);
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
}

function welcome(cluster: DevCluster, terminal: Terminal): string {
  const server = cluster.api === DEFAULT_SERVER ? "" : ` --server ${cluster.api}`;
  return [
    `${styled(terminal, "green", "EVM is up.")}  API ${cluster.api}  data ${cluster.folder}`,
    `Next, in another terminal:  evm${server} hosts   evm${server} apply -f FILE --wait`,
    "Ctrl-C ends it.",
    "",
  ].join("\n");
}
