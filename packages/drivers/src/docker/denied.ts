/**
 * What a daemon denies: killed in the middle of a start, it may come back without the container
 * that containerd went on to start. It then neither lists it as running nor stops it, starts it no
 * more ("id already in use"), and would leave it running where it removes it. The kernel's control
 * groups tell of it all the same, by the container's id, and it is ended through them.
 */
import { readdir, readFile } from "node:fs/promises";
import type { Clock } from "@evm/fleet";
import type { ContainerInspectInfo } from "dockerode";
import { DriverError } from "../driver.ts";

const DENIAL = "id already in use";
/** A process that is killed is gone in milliseconds, unless the kernel waits for a disk. */
const LOOK_INTERVAL_MS = 20;
const DEADLINE_MS = 5_000;

export type EndOptions = {
  readonly clock: Clock;
  /** For the error. */
  readonly doing: string;
  readonly signal: AbortSignal;
};

/** True of what a start says of a container that runs. */
export const isDenial = (error: unknown): boolean =>
  error instanceof DriverError && error.message.includes(DENIAL);

/** True where a container may run although its daemon says that it does not. */
export const mayRunUnseen = ({ State }: ContainerInspectInfo): boolean =>
  !State.Running && (State.Status === "created" || State.Error.includes(DENIAL));

/**
 * Ends by force what is alive in the control groups of a container; does nothing where nothing is.
 *
 * @param id Docker's, in full
 * @throws DriverError `failed` where it cannot be ended
 */
export async function endUnseen(id: string, { clock, doing, signal }: EndOptions): Promise<void> {
  for (let waitedMs = 0; waitedMs <= DEADLINE_MS; waitedMs += LOOK_INTERVAL_MS) {
    const processes = await processesOf(id);
    if (processes.length === 0) return;
    for (const pid of processes) end(pid, doing);
    await clock.sleep(LOOK_INTERVAL_MS, signal);
  }
  throw new DriverError("failed", `${doing}: what Docker denies of it cannot be killed`);
}

async function processesOf(id: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    // Empty where it has ended meanwhile.
    const groups = await readFile(`/proc/${entry}/cgroup`, "utf8").catch(() => "");
    if (groups.includes(id)) found.push(pid);
  }
  return found;
}

function end(pid: number, doing: string): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (cause) {
    const isGone = cause instanceof Error && "code" in cause && cause.code === "ESRCH";
    if (isGone) return;
    const text = `${doing}: process ${pid}, which Docker denies, cannot be killed`;
    throw new DriverError("failed", text, { cause });
  }
}
