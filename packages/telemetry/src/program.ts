/** The frame of a long-running program: its log, its end by a signal, its exit code. */
import { systemClock } from "./clock.ts";
import { createLog, errorText, type Log, type LogFields, type LogLevel } from "./log.ts";

/** What a program ends with. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

export type ServiceOptions = {
  readonly program: string;
  readonly level: LogLevel;
  /** On every line. */
  readonly fields: LogFields;
  /** Runs until the signal fires. */
  readonly run: (log: Log, signal: AbortSignal) => Promise<void>;
};

/**
 * Runs a service until SIGTERM or SIGINT, its log on standard output: JSON for machines, words on
 * a terminal. What fails because it was broken off is no failure.
 */
export async function runService({ program, level, fields, run }: ServiceOptions): Promise<number> {
  const end = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => end.abort());
  const log = createLog({
    program,
    level,
    format: process.stdout.isTTY ? "text" : "json",
    write: (line) => process.stdout.write(line),
    now: systemClock.now,
  }).child(fields);
  try {
    await run(log, end.signal);
    return EXIT.ok;
  } catch (error) {
    if (end.signal.aborted && isAbort(error)) return EXIT.ok;
    log.error(`the ${program} has failed`, { error });
    return EXIT.failed;
  }
}

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === "AbortError" || isAbort(error.cause));

/**
 * Runs a program's `main` and sets its exit code.
 *
 * @param isUsageError whether an error is about what the user wrote: shown without a stack
 */
export async function runMain(
  main: () => Promise<number>,
  isUsageError: (error: unknown) => boolean,
): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    // What `parseArgs` refuses is a TypeError with a code.
    const isUsers = isUsageError(error) || (error instanceof TypeError && "code" in error);
    if (!isUsers) throw error;
    process.stderr.write(`${errorText(error)}\n`);
    process.exitCode = EXIT.usage;
  }
}
