import { parseExport } from "@evm/codec";
import type { ExportFolder } from "@evm/coordinator";
import type { ClusterExport } from "@evm/fleet";

/** The folder of exports on a coordinator's machine, which outlives it. */
export class Exports implements ExportFolder {
  readonly #files = new Map<string, string>();

  async list(): Promise<readonly string[]> {
    return [...this.#files.keys()].sort();
  }

  async read(name: string): Promise<string> {
    return this.#files.get(name) ?? "";
  }

  async write(name: string, text: string): Promise<void> {
    this.#files.set(name, text);
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }

  all(): readonly ClusterExport[] {
    return [...this.#files].map(([file, text]) => parseExport({ file, text }));
  }
}
