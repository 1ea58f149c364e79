/** The output of an instance, followed from one coordinator to the next. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RpcError } from "@evm/protocol";
import { reopened } from "./reopened.ts";

/** Of what was shown last, to be found again in what comes from the next coordinator. */
const REMEMBERED_BYTES = 4_096;
/** So far back it is looked for: what is written while coordinators change is less. */
const RESUME_LINES = 1_000;
/** Once nothing more comes for so long, it is not in what is kept any more. */
const QUIET_MS = 1_000;
/** Enough for `RESUME_LINES` of usual length; it is held back until the place is found. */
const MAX_HELD_BYTES = 1024 * 1024;

export type LogStream = {
  /** @param tailLines only so many from the end; undefined: all that are kept */
  readonly open: (tailLines: number | undefined) => AsyncIterable<Uint8Array>;
  readonly tailLines: number | undefined;
  /** Told of what broke it. */
  readonly onBreak: (error: RpcError) => void;
  readonly signal: AbortSignal;
};

/**
 * Goes on where it broke: opened again with lines from before, of which those that were shown are
 * left out. Where output is so much alike that the place is not certain, or no longer kept, lines
 * may come twice rather than be missed.
 */
export async function* resumedLogs({
  open,
  tailLines,
  onBreak,
  signal,
}: LogStream): AsyncGenerator<Uint8Array> {
  let shown = Buffer.alloc(0);
  const openAgain = () =>
    shown.length === 0 ? open(tailLines) : after(shown, open(RESUME_LINES), signal);
  for await (const data of reopened({ open: openAgain, onBreak, signal, endsByItself: true })) {
    shown = Buffer.concat([shown, data]).subarray(-REMEMBERED_BYTES);
    yield data;
  }
}

/** What comes after `shown`; all of it where that does not come. */
async function* after(
  shown: Buffer,
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pieces = stream[Symbol.asyncIterator]();
  try {
    let next: Promise<IteratorResult<Uint8Array>> | undefined;
    let held = Buffer.alloc(0);
    while (!held.includes(shown) && held.length < MAX_HELD_BYTES) {
      next ??= pieces.next();
      const piece = await Promise.race([next, sleep(QUIET_MS, undefined, { signal })]);
      if (piece === undefined || piece.done === true) break;
      held = Buffer.concat([held, piece.value]);
      next = undefined;
    }
    const at = held.indexOf(shown);
    yield at < 0 ? held : held.subarray(at + shown.length);
    for (
      let piece = await (next ?? pieces.next());
      piece.done !== true;
      piece = await pieces.next()
    )
      yield piece.value;
  } finally {
    await pieces.return?.();
  }
}
