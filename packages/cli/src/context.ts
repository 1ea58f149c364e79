/** What every command works on. */
import type { GrpcClient } from "@evm/protocol";
import type { Terminal } from "./output/terminal.ts";

/** One call that ends by itself; the longest is an apply of hundreds of fleets. */
export const CALL_DEADLINE_MS = 15_000;

export type Context = {
  readonly client: GrpcClient;
  readonly terminal: Terminal;
  /** Print JSON, for scripts. */
  readonly isJson: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
};

/** What a call needs of it. */
export type CallContext = Pick<Context, "client" | "signal">;

/** Options of a call that ends by itself. */
export const callOptions = ({ signal }: Pick<CallContext, "signal">) => ({
  signal,
  deadlineMs: CALL_DEADLINE_MS,
});
