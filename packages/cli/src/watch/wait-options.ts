import { parseDuration } from "@evm/codec";
import { type Command, InvalidArgumentError, Option } from "commander";

/** What `addWaitOptions` adds to a command's options. */
export type WaitOptions = { readonly wait?: boolean; readonly timeout: number };

/** Emulated VMs take minutes; what takes longer than this hangs. */
const DEFAULT_TIMEOUT = "10m";
/** The longest that a timer of Node can be set to. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Adds `--wait` and `--timeout`. */
export const addWaitOptions = (command: Command, until: string): Command =>
  command
    .option("--wait", `wait until ${until}`)
    .addOption(
      new Option("--timeout <duration>", "how long to wait at most: 90s, 10m, 1h")
        .argParser(timeoutMs)
        .default(timeoutMs(DEFAULT_TIMEOUT), DEFAULT_TIMEOUT),
    );

function timeoutMs(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw new InvalidArgumentError("Expected a duration such as 90s, 10m or 1h.");
}
