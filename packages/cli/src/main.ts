/** The program `evm`. */
import { CommanderError } from "commander";
import { EXIT_CODES } from "./cli-error.ts";
import { processTerminal } from "./output/terminal.ts";
import { createProgram } from "./program.ts";
import { showError } from "./runner.ts";

/** npm hands on a Ctrl-C that its child has heard already: within this time it is the same one. */
const SAME_CTRL_C_MS = 500;

/** The first ends what goes on, the second (the signal returned) its tidy end, the third all. */
function listenForCtrlC(end: AbortController): AbortSignal {
  const hurry = new AbortController();
  let last = 0;
  process.on("SIGTERM", () => end.abort());
  process.on("SIGINT", () => {
    const now = performance.now();
    if (end.signal.aborted && now - last < SAME_CTRL_C_MS) return;
    last = now;
    if (hurry.signal.aborted) process.exit(EXIT_CODES.interrupted);
    if (end.signal.aborted) hurry.abort();
    end.abort();
  });
  return hurry.signal;
}

async function main(): Promise<number> {
  const end = new AbortController();
  const hurry = listenForCtrlC(end);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // Whoever read the results has gone, as in `evm logs -f x | head`: there is nothing left to do.
    end.abort();
  });
  const terminal = processTerminal();
  const program = createProgram({
    terminal,
    now: Date.now,
    random: Math.random,
    signal: end.signal,
    hurry,
  });
  try {
    await program.parseAsync(process.argv);
    return EXIT_CODES.ok;
  } catch (error) {
    // Commander has said what is wrong; asking for help is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
    return showError(error, terminal, end.signal);
  }
}

process.exitCode = await main();
