/** A loop of a program: works until the signal fires, then returns or rejects with its reason. */
export type Loop = (signal: AbortSignal) => Promise<void>;

/**
 * Runs loops that only make sense together: all end when the signal fires, and when one of them
 * ends, which is a failure. Returns, or throws that failure, once the last has ended.
 */
export async function runTogether(loops: readonly Loop[], signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const guarded = loops.map(async (loop) => {
    try {
      await loop(either);
      if (!either.aborted) throw new Error(`${loop.name || "a loop"} ended by itself`);
    } catch (error) {
      // Whatever is thrown once the end has come follows from it.
      if (!either.aborted) over.abort(error);
    }
  });
  await Promise.all(guarded);
  if (!signal.aborted) throw over.signal.reason;
}

/** Resolves when the signal fires; at once where it already has. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
