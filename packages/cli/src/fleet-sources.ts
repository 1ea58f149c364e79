/** The fleet files that a command line names. */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { describeFileProblem, type FleetFile, type ParsedFleet, parseFleetFiles } from "@evm/codec";
import { CliError, reasonOf } from "./cli-error.ts";
import type { Context } from "./context.ts";

/** Stands for the standard input. */
const STDIN = "-";
const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);

/**
 * Every fleet of all files.
 * @param names files; folders, for the fleet files in them; `-` for the standard input
 * @throws CliError `usage` with every problem of all of them
 */
export async function readFleets(
  context: Pick<Context, "terminal" | "signal">,
  names: readonly string[],
): Promise<readonly ParsedFleet[]> {
  if (names.length === 0) {
    throw new CliError("usage", "no fleet file given: name one, a folder of them, or - for stdin");
  }
  const files: FleetFile[] = [];
  for (const name of new Set(names)) files.push(...(await readSource(context, name)));
  const parsed = parseFleetFiles(files);
  if (parsed.kind === "ok") return parsed.fleets;
  const problems = parsed.problems.map((problem) => describeFileProblem(problem));
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  throw new CliError("usage", `${count}; nothing was changed\n${problems.join("\n")}`);
}

async function readSource(
  { terminal, signal }: Pick<Context, "terminal" | "signal">,
  name: string,
): Promise<readonly FleetFile[]> {
  if (name === STDIN) {
    return [{ file: "<stdin>", text: await text(addAbortSignal(signal, terminal.input)) }];
  }
  try {
    const names = (await stat(name)).isDirectory() ? await fleetFilesIn(name) : [name];
    return await Promise.all(
      names.map(async (file) => ({ file, text: await readFile(file, "utf8") })),
    );
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError("usage", `reading ${name}: ${reasonOf(cause)}`, { cause });
  }
}

async function fleetFilesIn(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => EXTENSIONS.has(extname(name)));
  if (names.length > 0) return names.sort().map((name) => join(folder, name));
  throw new CliError("usage", `${folder}: no file in it ends in ${[...EXTENSIONS].join(", ")}`);
}
