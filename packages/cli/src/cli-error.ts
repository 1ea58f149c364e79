import { getSystemErrorMessage } from "node:util";
import type { RpcError } from "@evm/protocol";

/** What `evm` exits with. Scripts rely on it: codes are never reused. */
export const EXIT_CODES = {
  ok: 0,
  /** Refused or failed for another reason than those below. */
  failed: 1,
  /** The command line or a file that it names is wrong; nothing was changed. */
  usage: 2,
  notFound: 3,
  /** What was waited for did not come in time. */
  timeout: 4,
  /** No coordinator answers. */
  unavailable: 5,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitReason = keyof typeof EXIT_CODES;

/** An error to be shown as it is, and what to exit with. */
export class CliError extends Error {
  readonly reason: ExitReason;

  constructor(reason: ExitReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CliError";
    this.reason = reason;
  }
}

/** What was called, for what is said of its failure. */
export type Called = {
  readonly server: string;
  /** The command line, word by word. */
  readonly words: readonly string[];
};

/** A failed call, with what helps. */
export function fromRpcError(error: RpcError, { server, words }: Called): CliError {
  const options = { cause: error };
  // A message of one problem says it already.
  const lines = error.violations
    .filter(({ description }) => !error.message.includes(description))
    .map(({ field, description }) => `  ${field}: ${description}`);
  const text = [error.message, ...lines, ...confirmationHint(error, words)].join("\n");
  switch (error.code) {
    case "unavailable":
      return new CliError(
        "unavailable",
        error.isAnswer
          ? `the coordinator at ${server} cannot do this now: ${text}\nTry again in some seconds.`
          : `no coordinator answers at ${server}: ${text}\n` +
              "Start one with `evm dev`, or name another with --server or EVM_SERVER.",
        options,
      );
    case "deadlineExceeded":
      return new CliError("timeout", `${server} did not answer in time: ${text}`, options);
    case "notFound":
      return new CliError("notFound", text, options);
    case "invalidArgument":
      return new CliError("usage", text, options);
    default:
      return new CliError("failed", text, options);
  }
}

/** The command to repeat where only its number is missing. */
function confirmationHint({ info }: RpcError, words: readonly string[]): readonly string[] {
  const confirm = info?.reason === "CONFIRMATION_NEEDED" ? info.metadata["confirm"] : undefined;
  if (confirm === undefined) return [];
  const others = words.filter(
    (word, at) => words[at - 1] !== "--confirm" && !/^--confirm(=|$)/.test(word),
  );
  return [`  ${[...others, "--confirm", confirm].map(quoted).join(" ")}`];
}

const quoted = (word: string): string =>
  /^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Why a file, or a fetch, failed: `no such file or directory`, without Node's code and call. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("syscall" in error && "errno" in error && typeof error.errno === "number") {
    return getSystemErrorMessage(error.errno);
  }
  // `fetch failed` says nothing; its cause does.
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
