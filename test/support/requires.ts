/**
 * What tests need from the machine. A suite whose requirement is not met is skipped, and says why
 * in its name. `.ci/run` fails on any other skip: what the machine can run, it shall run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe } from "vitest";
import { guestFile } from "./guest.ts";
import { natsServerBinary } from "./nats-server.ts";
import { FAKETIME_LIBRARY } from "./world/clock.ts";

/** Undefined if the machine offers it, else the reason and what would help. */
export type Requirement = () => string | undefined;

/** Begins the reason of a permitted skip; `scripts/tally/` looks for it. */
export const CANNOT_RUN = "cannot run here:";

/** How long a daemon may take to answer whether it is there. */
const PROBE_TIMEOUT_MS = 10_000;

const answers = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { timeout: PROBE_TIMEOUT_MS, stdio: "ignore" }).status === 0;

/** The right to change the machine: namespaces, mounts, networks. */
export const root: Requirement = () =>
  process.getuid?.() === 0 ? undefined : "these tests must run as root";

/** A libvirtd with its QEMU driver. */
export const libvirt: Requirement = () =>
  answers("virsh", "--connect", "qemu:///system", "version")
    ? undefined
    : "libvirtd does not answer at qemu:///system (run scripts/setup)";

/** A dockerd, with the image evm/busybox:1 that set-up imports. */
export const docker: Requirement = () =>
  answers("docker", "image", "inspect", "evm/busybox:1")
    ? undefined
    : "dockerd does not answer, or lacks the image evm/busybox:1 (run scripts/setup)";

/** A nats-server of our own choice. */
export const natsServer: Requirement = () =>
  natsServerBinary() === undefined ? "there is no nats-server (run scripts/setup)" : undefined;

/** What lets a test set the wall clock of a program. */
export const wallClock: Requirement = () =>
  existsSync(FAKETIME_LIBRARY)
    ? undefined
    : `there is no ${FAKETIME_LIBRARY} (run scripts/setup, or install faketime)`;

/** The micro guest's kernel, initial file system and disk. */
export const guest: Requirement = () =>
  existsSync(guestFile("disk.qcow2"))
    ? undefined
    : "the micro guest has not been built (run scripts/setup)";

/** A suite that runs where the machine offers all that it needs, and else says what is missing. */
export function describeIf(
  requirements: readonly Requirement[],
  name: string,
  body: () => void,
): void {
  const reasons = requirements.map((missing) => missing()).filter((reason) => reason !== undefined);
  if (reasons.length === 0) describe(name, body);
  else describe.skip(`${name} (${CANNOT_RUN} ${reasons.join("; ")})`, body);
}
