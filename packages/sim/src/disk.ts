import type { StateDir } from "@evm/agent";
import type { SimulatedProcess } from "./process.ts";

/** The files of an agent, which outlive it. */
export class Disk {
  /** Whether nothing can be written any more. */
  isFull = false;
  readonly #files = new Map<string, Uint8Array>();
  readonly #onWrite: () => void;

  constructor(onWrite: () => void) {
    this.#onWrite = onWrite;
  }

  /** Everything on it is gone. */
  wipe(): void {
    this.#files.clear();
    this.#onWrite();
  }

  file(name: string): Uint8Array | undefined {
    return this.#files.get(name);
  }

  /** The state directory as one life of the agent has it. */
  openFor({ signal }: SimulatedProcess): StateDir {
    return {
      read: async (name) => this.#files.get(name),
      write: async (name, content) => {
        signal.throwIfAborted();
        if (this.isFull) throw new Error(`writing ${name}: no space left on device`);
        this.#files.set(name, content);
        this.#onWrite();
      },
      setAside: async (name) => {
        this.#files.delete(name);
        return `${name}.unreadable`;
      },
    };
  }
}
