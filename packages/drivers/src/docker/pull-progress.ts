/** Sums up the progress of a pull over its layers, in words. */
import type { Progress } from "../driver.ts";
import type { ProgressMessage } from "./progress-messages.ts";

const BYTES_PER_MIB = 1024 * 1024;

export class PullProgress {
  readonly #doing: string;
  readonly #onProgress: Progress;
  /** By layer: at most 127, Docker's own limit. */
  readonly #layers = new Map<string, { readonly doneBytes: number; readonly totalBytes: number }>();
  #told = "";

  constructor(doing: string, onProgress: Progress) {
    this.#doing = doing;
    this.#onProgress = onProgress;
  }

  /** Tells on what is new to a reader: whole MiB. */
  tell({ id, status, doneBytes, totalBytes }: ProgressMessage): void {
    if (status !== "Downloading" || id === undefined) return;
    if (doneBytes === undefined || totalBytes === undefined) return;
    this.#layers.set(id, { doneBytes, totalBytes });
    const layers = [...this.#layers.values()];
    const done = inMib(layers.map((layer) => layer.doneBytes));
    const total = inMib(layers.map((layer) => layer.totalBytes));
    const text = `${this.#doing}: ${done} of ${total} MiB`;
    if (text === this.#told) return;
    this.#told = text;
    this.#onProgress(text);
  }
}

const inMib = (sizes: readonly number[]): number =>
  Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / BYTES_PER_MIB);
