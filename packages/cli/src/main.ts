/** The program `evm`. */
import { CommanderError } from "commander";
import { EXIT_CODES } from "./cli-error.ts";
import { processTerminal } from "./output/terminal.ts";
import { createProgram } from "./program.ts";
import { showError } from "./runner.ts";

async function main(): Promise<number> {
  const end = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => end.abort());
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // Whoever read the results has gone, as in `evm logs -f x | head`: there is nothing left to do.
    end.abort();
  });
  const terminal = processTerminal();
  const program = createProgram({ terminal, now: Date.now, signal: end.signal });
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
