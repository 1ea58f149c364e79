/** Runs `evm` in this process, on a terminal that writes down what it is shown. */
import { EXIT_CODES } from "../../packages/cli/src/cli-error.ts";
import {
  type RecordingTerminal,
  recordingTerminal,
} from "../../packages/cli/src/output/recording-terminal.testing.ts";
import { createProgram } from "../../packages/cli/src/program.ts";
import { showError } from "../../packages/cli/src/runner.ts";

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

export type Evm = {
  readonly server: string;
  /** What is piped in; nothing by default. */
  readonly input?: string;
  /** Instead of one that `input` is piped into. */
  readonly terminal?: RecordingTerminal;
  /** Fires as Ctrl-C would. */
  readonly signal?: AbortSignal;
};

export async function evm(options: Evm, ...args: readonly string[]): Promise<Ran> {
  const { server, signal = new AbortController().signal } = options;
  const terminal = options.terminal ?? piped(options.input ?? "");
  const program = createProgram({
    terminal,
    now: () => 0,
    random: () => 0,
    signal,
    hurry: new AbortController().signal,
  });
  let code: number = EXIT_CODES.ok;
  try {
    await program.parseAsync(["--server", server, ...args], { from: "user" });
  } catch (error) {
    code = isCommanders(error)
      ? error.exitCode && EXIT_CODES.usage
      : showError(error, terminal, signal);
  }
  return { code, ...terminal.shown };
}

function piped(input: string): RecordingTerminal {
  const terminal = recordingTerminal();
  terminal.type(input);
  terminal.hangUp();
  return terminal;
}

/** What it throws where the command line is wrong, and after help. */
const isCommanders = (error: unknown): error is Error & { readonly exitCode: number } =>
  error instanceof Error && "exitCode" in error;
