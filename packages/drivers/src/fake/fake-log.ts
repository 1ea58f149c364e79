/** The output of a fake instance: kept whole over restarts, followed by any number of readers. */
import type { LogOptions } from "../driver.ts";

export class FakeLog {
  #text = "";
  #isOpen = false;
  #changed = Promise.withResolvers<void>();

  append(text: string): void {
    this.#text += text;
    this.#wake();
  }

  /** The instance starts: followers wait for more. */
  open(text: string): void {
    this.#isOpen = true;
    this.append(text);
  }

  /** The instance ends: followers end too. */
  close(): void {
    this.#isOpen = false;
    this.#wake();
  }

  async *read(options: LogOptions): AsyncGenerator<Uint8Array> {
    const { signal, tailLines, isFollowing } = options;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    let offset = tailLines === undefined ? 0 : startOfTail(this.#text, tailLines);
    while (!signal.aborted) {
      if (offset < this.#text.length) {
        const piece = this.#text.slice(offset);
        offset = this.#text.length;
        yield Buffer.from(piece);
        continue;
      }
      if (!isFollowing || !this.#isOpen) return;
      await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function startOfTail(text: string, tailLines: number): number {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const dropped = lines.slice(0, Math.max(0, lines.length - tailLines));
  return dropped.join("").length;
}
