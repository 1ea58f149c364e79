/** Wakes a caller when a container of EVM's changes. */
import { DriverError } from "../driver.ts";
import { ownerFilter } from "./container-labels.ts";
import type { ContainerList } from "./container-list.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { fieldOf, textOf } from "./docker-error.ts";
import { jsonLines } from "./json-lines.ts";

/** Not all events: each run of a health check makes three of its own. */
const EVENTS = ["create", "start", "die", "destroy", "oom", "pause", "unpause", "health_status"];
/** The first wait for a daemon that went away; doubles up to the maximum, with jitter. */
const BACKOFF_MS = 250;
/** To ask at a local socket costs next to nothing, and whatever runs there waits for it. */
const MAX_BACKOFF_MS = 1000;

export type WatchOptions = {
  readonly owner: string;
  /** Told of every start and end. */
  readonly list: ContainerList;
  /** From 0 up to 1. */
  readonly random: () => number;
};

/**
 * Calls `onChange` after every event, and after every connection, since something may have been
 * missed. Ends with the signal only; that the daemon is away is for `list` and `probe` to tell.
 */
export async function watchContainers(
  engine: DockerEngine,
  { owner, list, random }: WatchOptions,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  /**
   * Resolves once Docker is through with an end that it told of. It tells of it first, then cleans
   * up, and shows it only after, some hundred milliseconds later (measured); meanwhile it lets
   * nobody inspect the container. Whatever comes of the inspection, Docker then tells more than it
   * did.
   */
  async function ended(id: string): Promise<void> {
    const doing = `waiting for the end of container ${id}`;
    await engine.inspect(id, doing, signal).catch(() => undefined);
    list.changed(id);
  }

  let backoffMs = BACKOFF_MS;
  while (!signal.aborted) {
    try {
      const filters = JSON.stringify({
        type: ["container"],
        label: [ownerFilter(owner)],
        event: EVENTS,
      });
      const events = engine.stream("watching containers", signal, async (docker, abortSignal) => {
        const opened = await docker.getEvents({ filters, abortSignal });
        backoffMs = BACKOFF_MS;
        list.connected();
        onChange();
        return opened;
      });
      for await (const event of jsonLines(events, "reading Docker's events")) {
        const action = textOf(event, "Action");
        const id = idOf(event);
        if (action === "start" && id !== undefined) list.changed(id);
        if (action === "die" && id !== undefined) void ended(id).then(onChange);
        else onChange();
      }
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
    } finally {
      list.disconnected();
    }
    // Cut short by the signal, which the loop looks at.
    await engine.clock.sleep(backoffMs * (0.5 + random() / 2), signal).catch(() => {});
    backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS);
  }
}

const idOf = (event: unknown): string | undefined => textOf(fieldOf(event, "Actor"), "ID");
