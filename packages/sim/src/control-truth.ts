/**
 * The control state as oracles judge by it: what the store holds; and where that was lost, what it
 * held before, since hosts go by it until a restore.
 */
import type { ClusterExport, HostName, HostRecord, Report } from "@evm/fleet";
import type { ControlState, CoordinatorStore, MemoryStore } from "@evm/store";
import { NEVER } from "./link.ts";
import type { Restore } from "./oracles/truth.ts";

export class ControlTruth {
  /** What operators restore from. */
  kept: ClusterExport | undefined;
  readonly #memory: MemoryStore;
  #store: CoordinatorStore;
  /** Present while it is lost. */
  #before: ControlState | undefined;
  #restore: Restore | undefined;
  #losses = 0;

  constructor(memory: MemoryStore) {
    this.#memory = memory;
    this.#store = memory.coordinator("observer");
  }

  /** How often it was lost. */
  get losses(): number {
    return this.#losses;
  }

  /** True from its loss until a restore. */
  get isLost(): boolean {
    return this.#before !== undefined;
  }

  control(): ControlState {
    return this.#before ?? this.stored();
  }

  /** What the store holds, whatever became of it. */
  stored(): ControlState {
    return this.#store.control();
  }

  /** What hosts told last, as the store has it. */
  reports(): ReadonlyMap<HostName, Report> {
    return this.#store.reports();
  }

  watch(wake: () => void, signal: AbortSignal): void {
    this.#store.watch(wake, signal);
  }

  /** What an operator says of a host, whom every coordinator is deaf to or not. */
  async putHost(record: HostRecord, revision: number): Promise<void> {
    await this.#store.putHost(record, revision, NEVER);
  }

  /** @param backup what is there instead; undefined: nothing, of reports neither */
  lose(backup: ControlState | undefined): void {
    this.#before ??= this.stored();
    this.#losses += 1;
    this.#memory.loseControl(backup);
    // Who was connected sees what it saw.
    this.#store = this.#memory.coordinator("observer");
  }

  /** A restore was written. */
  restored(): void {
    this.#restore = { isOfLoss: this.isLost, kept: this.kept };
    this.#before = undefined;
  }

  /** The restore that was written since this was last asked. */
  takeRestore(): Restore | undefined {
    const restore = this.#restore;
    this.#restore = undefined;
    return restore;
  }
}
