/**
 * What a client streams to us, until it has gone: grpc-js lets a reader of a cancelled call wait
 * for ever, which would keep half an upload in the store and a console open on its host.
 */
export async function* whileCalling<T>(
  requests: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const gone = Promise.withResolvers<never>();
  const onAbort = () => gone.reject(signal.reason);
  // It may go while nobody waits for it to: the next read then tells.
  gone.promise.catch(() => undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const iterator = requests[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([gone.promise, iterator.next()]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
