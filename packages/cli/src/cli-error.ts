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

/** A failed call, with what helps. */
export function fromRpcError(error: RpcError, server: string): CliError {
  const lines = error.violations.map(({ field, description }) => `  ${field}: ${description}`);
  switch (error.code) {
    case "unavailable":
      return new CliError(
        "unavailable",
        `no coordinator answers at ${server}: ${error.message}\n` +
          "Start one with `evm dev`, or name another with --server or EVM_SERVER.",
        { cause: error },
      );
    case "deadlineExceeded":
      return new CliError("timeout", `no answer in time: ${error.message}`, { cause: error });
    case "notFound":
      return new CliError("notFound", error.message, { cause: error });
    case "invalidArgument":
      return new CliError("usage", [error.message, ...lines].join("\n"), { cause: error });
    default:
      return new CliError("failed", [error.message, ...lines].join("\n"), { cause: error });
  }
}
