import type { Clock } from "@evm/fleet";
import {
  type Connection,
  type DomainRef,
  isOperationInvalid,
  type LifecycleWatch,
  ShutdownFlags,
} from "@evm/libvirt";
import { isUp } from "./observe.ts";

/**
 * A guest that is still booting misses the power button, and one that shuts down already ignores
 * it: so it is pressed again this often.
 */
const PRESS_INTERVAL_MS = 3_000;

/** Asks the guest to power off and waits; false where it has not by the end of the grace. */
export async function shutDown(
  connection: Connection,
  domain: DomainRef,
  options: { graceMs: number; signal: AbortSignal; clock: Clock },
): Promise<boolean> {
  const { graceMs, signal, clock } = options;
  const isOff = async () => !isUp(await connection.domains.state(domain, { signal }));
  const finished = new AbortController();
  const pause = AbortSignal.any([signal, finished.signal]);
  await using watch = await connection.domains.watch({ domain, signal });
  const stopped = untilStopped(watch);
  const deadlineMs = clock.monotonicMs() + graceMs;
  try {
    for (;;) {
      if (await isOff()) return true;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      await press(connection, domain, signal);
      await Promise.race([stopped, clock.sleep(Math.min(leftMs, PRESS_INTERVAL_MS), pause)]);
    }
  } finally {
    finished.abort();
    // It ends with the watch: this owns its failure where nothing waited for it.
    stopped.catch(() => undefined);
  }
}

async function untilStopped(watch: LifecycleWatch): Promise<void> {
  for await (const { event } of watch) if (event === "stopped") return;
}

async function press(
  connection: Connection,
  domain: DomainRef,
  signal: AbortSignal,
): Promise<void> {
  try {
    const flags = ShutdownFlags.acpiPowerButton;
    await connection.domains.shutdown(domain, { signal, flags });
  } catch (error) {
    // It went off in this moment: the next look tells.
    if (!isOperationInvalid(error)) throw error;
  }
}
