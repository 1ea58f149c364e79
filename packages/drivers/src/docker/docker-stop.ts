/**
 * Ends a container: by its own signal, then by force. Not by Docker's stop: depending on its
 * version that goes on, or kills at once, when the caller leaves.
 */
import type { ContainerInspectInfo } from "dockerode";
import { DriverError } from "../driver.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { alreadySo, textOf } from "./docker-error.ts";

export async function stopContainer(
  engine: DockerEngine,
  { Id, State, Config }: ContainerInspectInfo,
  doing: string,
  { graceMs, signal }: { readonly graceMs: number; readonly signal: AbortSignal },
): Promise<void> {
  // 404 and 409: it was removed, or has ended, in between.
  const kill = (by: string) =>
    engine.call(doing, signal, (docker, abortSignal) =>
      docker.getContainer(Id).kill({ signal: by, abortSignal }).catch(alreadySo(404, 409)),
    );
  const waitForEnd = (deadlineMs?: number) =>
    engine.call(
      doing,
      signal,
      (docker, abortSignal) =>
        docker
          .getContainer(Id)
          .wait({ condition: "not-running", abortSignal })
          .catch(alreadySo(404)),
      deadlineMs,
    );

  if (!State.Running) return;
  await kill(textOf(Config, "StopSignal") ?? "SIGTERM");
  try {
    await waitForEnd(graceMs);
  } catch (error) {
    const isGraceOver = error instanceof DriverError && error.code === "cancelled";
    if (!isGraceOver || signal.aborted) throw error;
    await kill("SIGKILL");
    await waitForEnd();
  }
}
