/** Whether Docker can be used here, and if not, why and what helps. */
import type Docker from "dockerode";
import type { DriverProbe } from "../driver.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { fieldOf, textOf, toDriverError } from "./docker-error.ts";

/** A daemon that answers slower than this is of no use, and who probes waits for an answer. */
const PROBE_DEADLINE_MS = 10_000;

const REMEDIES: { readonly [code: string]: string } = {
  ENOENT:
    "install Docker (Debian: apt-get install docker.io) and start it (systemctl start docker)",
  ECONNREFUSED: "start Docker (systemctl start docker)",
  EACCES: "run as root, or as a member of the group docker",
};

export async function probeDocker(
  engine: DockerEngine,
  socketPath: string,
  signal: AbortSignal,
): Promise<DriverProbe> {
  const doing = `asking Docker at ${socketPath}`;
  try {
    const work = (docker: Docker): Promise<unknown> => docker.info();
    const info = await engine.call(doing, signal, work, PROBE_DEADLINE_MS);
    const warnings = fieldOf(info, "Warnings");
    return {
      isUsable: true,
      detail: `docker ${textOf(info, "ServerVersion") ?? "of unknown version"}`,
      warnings: Array.isArray(warnings) ? warnings.map(String) : [],
    };
  } catch (error) {
    const { message, cause } = toDriverError(doing, error);
    const remedy = REMEDIES[textOf(cause, "code") ?? ""];
    return {
      isUsable: false,
      reason: message,
      remedy: remedy ?? "see what dockerd writes to its log (journalctl -u docker)",
    };
  }
}
