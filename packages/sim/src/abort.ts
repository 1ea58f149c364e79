/**
 * Listening to abort signals that last: however many listen to one, the signal itself has one
 * listener, and one more or less costs next to nothing.
 */
export class AbortListeners {
  readonly #acts = new WeakMap<AbortSignal, Set<() => void>>();

  /** Calls `act` when the signal fires, unless what it returns is called before. */
  add(signal: AbortSignal, act: () => void): () => void {
    const acts = this.#acts.get(signal) ?? this.#listenTo(signal);
    acts.add(act);
    return () => acts.delete(act);
  }

  #listenTo(signal: AbortSignal): Set<() => void> {
    const acts = new Set<() => void>();
    this.#acts.set(signal, acts);
    const tell = () => {
      for (const act of [...acts]) act();
    };
    signal.addEventListener("abort", tell, { once: true });
    return acts;
  }
}
