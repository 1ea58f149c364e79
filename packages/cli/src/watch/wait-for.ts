/** Waiting until what was asked for has become so. */
import { RpcError } from "@evm/protocol";
import { CliError } from "../cli-error.ts";
import type { Context } from "../context.ts";
import { duration } from "../output/format.ts";
import { startProgress } from "../output/progress.ts";
import { reopened } from "./reopened.ts";

/** What is waited for, on states that come as they change. */
export type Wait<State> = {
  /** The state now, then after every change. */
  readonly watch: (signal: AbortSignal) => AsyncIterable<State>;
  /** Also where it can no longer become so. */
  readonly isDone: (state: State) => boolean;
  readonly progress: (state: State) => string;
  readonly timeoutMs: number;
  /** What is still missing, for the message at the timeout. */
  readonly missing: (state: State) => string | Promise<string>;
};

/**
 * Returns the state that was waited for. A coordinator that goes away meanwhile is waited for too.
 * @throws CliError `timeout` after `timeoutMs`
 */
export async function waitFor<State>(
  context: Pick<Context, "signal" | "terminal">,
  wait: Wait<State>,
): Promise<State> {
  const deadline = AbortSignal.timeout(wait.timeoutMs);
  const signal = AbortSignal.any([context.signal, deadline]);
  using progress = startProgress(context.terminal);
  let last: { readonly state: State } | undefined;
  let failure = "nothing was heard";
  const onBreak = ({ message }: RpcError) => {
    failure = message;
    progress.tell(`${message}; trying again`);
  };
  try {
    for await (const state of reopened({ open: () => wait.watch(signal), onBreak, signal })) {
      last = { state };
      if (wait.isDone(state)) return state;
      progress.update(wait.progress(state));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  context.signal.throwIfAborted();
  const missing = last === undefined ? failure : await whatIsMissing(wait, last.state);
  throw new CliError("timeout", `gave up after ${duration(wait.timeoutMs)}: ${missing}`);
}

/** What only a coordinator can tell is left out where none answers: the wait is over anyway. */
async function whatIsMissing<State>(wait: Wait<State>, state: State): Promise<string> {
  try {
    return await wait.missing(state);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `last heard: ${wait.progress(state)}; then: ${error.message}`;
  }
}
