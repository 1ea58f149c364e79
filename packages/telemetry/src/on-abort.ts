/**
 * Listening to abort signals that last: however many listen to one, the signal itself has one
 * listener, and one more or less costs next to nothing.
 */
type Listener = { readonly act: () => void; at: number };

/** Arrays: a set that is used so much keeps what was taken out of it from being collected. */
const LISTENERS = new WeakMap<AbortSignal, Listener[]>();

/** Calls `act` when the signal fires, unless what it returns is called before. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const listeners = LISTENERS.get(signal) ?? listenTo(signal);
  const listener = { act, at: listeners.length };
  listeners.push(listener);
  return () => remove(listeners, listener);
}

function listenTo(signal: AbortSignal): Listener[] {
  const listeners: Listener[] = [];
  LISTENERS.set(signal, listeners);
  const tell = () => {
    for (const { act } of [...listeners]) act();
  };
  signal.addEventListener("abort", tell, { once: true });
  return listeners;
}

/** The last takes its place. */
function remove(listeners: Listener[], listener: Listener): void {
  if (listeners[listener.at] !== listener) return;
  const last = listeners.pop();
  if (last === undefined || last === listener) return;
  listeners[listener.at] = last;
  last.at = listener.at;
}
