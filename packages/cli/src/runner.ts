/** Between the command line and a command: its context, and its failures as exit codes. */
import { RpcError } from "@evm/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { CliError, EXIT_CODES, fromRpcError } from "./cli-error.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { styledErr, type Terminal } from "./output/terminal.ts";

const DEFAULT_PORT = 7070;
export const DEFAULT_SERVER = `127.0.0.1:${DEFAULT_PORT}`;

/**
 * Servers as the command line names them, each `host`, `host:port`, `[::1]:port` or `unix:path`,
 * with commas between them.
 */
export const parseServers = (text: string): string => text.split(",").map(parseServer).join(",");

function parseServer(text: string): string {
  if (/^unix:./.test(text)) return text;
  const [, host, port = String(DEFAULT_PORT)] =
    /^([\w.-]+|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(text.trim()) ?? [];
  if (host !== undefined && Number(port) <= 65_535) return `${host}:${port}`;
  throw new InvalidArgumentError(
    "Expected HOST:PORT, as in 127.0.0.1:7070, or unix:PATH; several with commas between them.",
  );
}

/** Wraps what a command does. Commander hands on its arguments, then its options. */
export type Run = <Arguments extends unknown[]>(
  action: (context: Context, ...given: Arguments) => Promise<void>,
) => (...given: Arguments) => Promise<void>;

export type RunOptions = {
  readonly program: Command;
  readonly terminal: Terminal;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
};

export function createRun({ program, terminal, now, random, signal }: RunOptions): Run {
  return (action) =>
    async (...given) => {
      const { server = DEFAULT_SERVER, json = false } = program.opts<{
        server?: string;
        json?: boolean;
      }>();
      using client = connect(server, random);
      try {
        await action({ client, terminal, isJson: json, now, signal }, ...given);
      } catch (error) {
        const isOurEnd = signal.aborted;
        if (!(error instanceof RpcError) || isOurEnd) throw error;
        throw fromRpcError(error, { server, words: wordsOf(program) });
      }
    };
}

/** The command line as it was given, but for what has a value of its own here. */
const wordsOf = (program: Command): readonly string[] => [
  "evm",
  ...(program.getOptionValueSource("server") === "cli"
    ? ["--server", String(program.opts()["server"])]
    : []),
  ...program.args,
];

/** Shows an error and says what to exit with. */
export function showError(error: unknown, terminal: Terminal, signal: AbortSignal): number {
  const isOurs = error instanceof CliError;
  // What Ctrl-C broke off needs no words; what went wrong at the end that it asked for does.
  if (signal.aborted && !isOurs) return EXIT_CODES.interrupted;
  const text = error instanceof Error ? error.message : String(error);
  terminal.err(`${styledErr(terminal, "red", "error:")} ${text}\n`);
  if (!isOurs && error instanceof Error && error.stack !== undefined) {
    terminal.err(`${error.stack}\n`);
  }
  return EXIT_CODES[isOurs ? error.reason : "failed"];
}
