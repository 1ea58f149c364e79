import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** No answer of a daemon takes so long, unless it hangs. */
const TOOL_TIMEOUT_MS = 60_000;

/** Runs a command to its end; returns what it prints, and throws unless it ends well. */
export async function run(command: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await execute(command, words, { timeout: TOOL_TIMEOUT_MS });
  return stdout;
}
