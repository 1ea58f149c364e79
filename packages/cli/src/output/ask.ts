import { createInterface } from "node:readline";
import type { Terminal } from "./terminal.ts";

/** Whether the person at the terminal answers with yes; the end of input is a no. */
export async function ask(
  terminal: Terminal,
  question: string,
  signal: AbortSignal,
): Promise<boolean> {
  terminal.err(`${question} [y/N] `);
  using lines = createInterface({ input: terminal.input, signal });
  for await (const line of lines) return /^y(es)?$/i.test(line.trim());
  return false;
}
