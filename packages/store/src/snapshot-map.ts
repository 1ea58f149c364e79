/** A map that hands out what it holds as an immutable whole, copied only after a change. */
export class SnapshotMap<Key, Value> {
  readonly #entries: Map<Key, Value>;
  #snapshot: ReadonlyMap<Key, Value> | undefined;

  constructor(entries: Iterable<readonly [Key, Value]> = []) {
    this.#entries = new Map(entries);
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
    this.#snapshot = undefined;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
    this.#snapshot = undefined;
  }

  /** What is there now; later changes do not show in it. */
  snapshot(): ReadonlyMap<Key, Value> {
    this.#snapshot ??= new Map(this.#entries);
    return this.#snapshot;
  }
}
