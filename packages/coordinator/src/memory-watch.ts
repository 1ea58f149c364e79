/**
 * Watches whether the control state remembers what hosts were ordered (see `recall` in fleet), and
 * says so, loudly and once. A coordinator whose view trails the store by a moment sees a host ahead
 * of it, too: nothing is planned on that view, but only what lasts is told, and keeps operators
 * out.
 */
import type { Recall } from "@evm/fleet";
import type { Announcer } from "./announcer.ts";
import type { CoordinatorMetrics } from "./metrics.ts";

/** Above the time that a healthy store's news takes; a leader's confirmation is a second old. */
const SETTLED_MS = 3_000;

export type MemoryWatchOptions = {
  readonly announcer: Announcer;
  readonly metrics: Pick<CoordinatorMetrics, "memoryLost" | "estrangedHosts">;
};

export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  #since: { readonly key: string; readonly ms: number } | undefined;
  /** What was last told; empty where all is well. */
  #told = "";
  #settled: Recall = WHOLE;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  /** What has been so for long enough to be acted on by people. */
  get settled(): Recall {
    return this.#settled;
  }

  /**
   * To be called with every pass.
   *
   * @param isSpeaker whether to make events of it: one coordinator does
   */
  look(memory: Recall, nowMs: number, isSpeaker: boolean): void {
    const key = keyOf(memory);
    if (this.#since?.key !== key) this.#since = { key, ms: nowMs };
    const isSettled = key === "" || nowMs - this.#since.ms >= SETTLED_MS;
    if (!isSettled) return;
    this.#settled = memory;
    const { metrics } = this.#options;
    metrics.memoryLost.set(memory.kind === "lost" ? 1 : 0);
    metrics.estrangedHosts.set(memory.kind === "whole" ? memory.estranged.size : 0);
    if (!isSpeaker || key === this.#told) return;
    this.#told = key;
    this.#tell(memory);
  }

  #tell(memory: Recall): void {
    const { announcer } = this.#options;
    const trouble = describeMemory(memory);
    if (trouble === undefined) {
      announcer.say("info", "ControlStateWhole", "the control state knows what hosts go by");
    } else {
      const reason = memory.kind === "lost" ? "ControlStateLost" : "HostEstranged";
      announcer.say("error", reason, trouble);
    }
  }
}

const WHOLE: Recall = { kind: "whole", estranged: new Set() };

/** What is wrong and what to do, as a sentence; undefined where nothing is. */
export function describeMemory(memory: Recall): string | undefined {
  switch (memory.kind) {
    case "lost":
      return (
        `the control state is older than what hosts go by (${some(memory.hosts)}): nothing is ` +
        "planned and no host is called lost; rebuild it with evm restore"
      );
    case "whole": {
      if (memory.estranged.size === 0) return undefined;
      return (
        `orders that are not known here are in force on ${some([...memory.estranged])}: nothing ` +
        "is ordered there; take them in with evm restore"
      );
    }
  }
}

const MAX_NAMED = 5;

function some(names: readonly string[]): string {
  const rest = names.length - MAX_NAMED;
  const shown = names.slice(0, MAX_NAMED).join(", ");
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

/** Equal for what is told as the same. */
function keyOf(memory: Recall): string {
  if (memory.kind === "lost") return "lost";
  return [...memory.estranged].sort().join(" ");
}
