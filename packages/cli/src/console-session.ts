/** A terminal's session on an instance's console. */
import { on } from "node:events";
import { type BidiCall, InstanceService, type OpenConsoleResponse } from "@evm/protocol";
import type { Context } from "./context.ts";
import type { Input, Terminal } from "./output/terminal.ts";

/** Ctrl-], as of telnet and virsh: what it is in a guest can be done otherwise. */
const LEAVE_KEY = 0x1d;
/** What was piped in has been answered when nothing more comes for so long. */
const QUIET_AFTER_INPUT_MS = 2_000;

type Call = BidiCall<{ name: string } | { input: Uint8Array }, OpenConsoleResponse>;

/**
 * Ends when the instance's side does, at Ctrl-] on a terminal, and after the answer to what was
 * piped in. Leaves the terminal as it was, however it ends.
 */
export async function consoleSession(context: Context, name: string): Promise<void> {
  const { client, terminal, signal } = context;
  const leave = new AbortController();
  const call: Call = await client.bidi(InstanceService.method.openConsole, {
    signal: AbortSignal.any([signal, leave.signal]),
  });
  await call.write({ name });
  using _raw = rawMode(terminal, name);
  const typing = sendInput(terminal.input, call, leave.signal);
  let quiet: NodeJS.Timeout | undefined;
  typing.then(
    (end) => {
      if (end === "left") leave.abort();
      if (leave.signal.aborted) return;
      quiet = setTimeout(() => leave.abort(), QUIET_AFTER_INPUT_MS);
    },
    () => leave.abort(),
  );
  try {
    for await (const { output } of call.responses) {
      quiet?.refresh();
      await terminal.outBytes(output);
    }
  } catch (error) {
    if (!leave.signal.aborted) throw error;
  } finally {
    leave.abort();
    clearTimeout(quiet);
    await typing;
  }
}

/** Until it is disposed, keys go to the instance as they are pressed, Ctrl-C too. */
function rawMode({ input, err }: Terminal, name: string): Disposable {
  if (input.isTTY === true) {
    err(`Console of ${name}. Ctrl-] leaves it.\n`);
    input.setRawMode?.(true);
  }
  return {
    [Symbol.dispose]() {
      if (input.isTTY === true) input.setRawMode?.(false);
      // Or the process would go on waiting for keys.
      input.pause();
    },
  };
}

/** Sends what is typed; says whether Ctrl-] or the end of the input ended it. */
async function sendInput(input: Input, call: Call, leave: AbortSignal): Promise<"left" | "ended"> {
  try {
    for await (const [chunk] of on(input, "data", { signal: leave, close: ["end", "close"] })) {
      if (!(chunk instanceof Uint8Array)) continue;
      const end = input.isTTY === true ? chunk.indexOf(LEAVE_KEY) : -1;
      if (end !== 0) await call.write({ input: end < 0 ? chunk : chunk.subarray(0, end) });
      if (end >= 0) return "left";
    }
  } catch (error) {
    if (!leave.aborted) throw error;
  }
  return "ended";
}
