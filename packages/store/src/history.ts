import { StoreError } from "./store.ts";

/** Whether a store's revisions go on from what a connection knows of it (S5). */
export class History {
  #error: StoreError | undefined;

  /** @throws StoreError corrupt once it is known that they do not */
  ensure(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /**
   * Notes what the store says its newest revision is.
   *
   * @param known the least that it may be
   * @throws StoreError corrupt where it is less
   */
  follow(known: number, newest: number): void {
    if (newest >= known) return;
    const text = `the store went back from revision ${known} to ${newest}`;
    this.#error = new StoreError("corrupt", `${text}; its data was lost, start again`);
    throw this.#error;
  }
}
