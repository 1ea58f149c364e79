/** Runs the tools of others: no shell, a deadline, and their own words when they fail. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ImageError } from "./image-error.ts";

const run = promisify(execFile);

/** Creating an overlay or a seed writes well under a megabyte: whatever takes longer hangs. */
const TOOL_DEADLINE_MS = 30_000;

const stderrOf = (error: unknown): string =>
  error instanceof Error && "stderr" in error && typeof error.stderr === "string"
    ? error.stderr.trim()
    : "";

/** Runs `command` to its end; what it printed is of no interest unless it fails. */
export async function runTool(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.timeout(TOOL_DEADLINE_MS);
  try {
    await run(command, args, {
      signal: AbortSignal.any([signal, deadline]),
      killSignal: "SIGKILL",
      // The words below are looked at: they must be English.
      env: { ...process.env, LC_ALL: "C" },
    });
  } catch (error) {
    const doing = `running ${command}`;
    if (signal.aborted) throw new ImageError("cancelled", `${doing}: cancelled`, { cause: error });
    if (deadline.aborted) {
      throw new ImageError("unavailable", `${doing}: took longer than ${TOOL_DEADLINE_MS} ms`, {
        cause: error,
      });
    }
    const words = stderrOf(error) || (error instanceof Error ? error.message : String(error));
    const code = /No space left on device/.test(words) ? "exhausted" : "failed";
    throw new ImageError(code, `${doing}: ${words}`, { cause: error });
  }
}
