/** Whether VMs can run here, in words: on what, what could be better, and what helps if not. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { missingPackages } from "@evm/images";
import { type Connection, hasCode } from "@evm/libvirt";
import { DriverError, type DriverProbe } from "../driver.ts";
import { findAccelerator } from "./host-facts.ts";

export async function probeHost(
  connection: Connection,
  socketPath: string,
  signal: AbortSignal,
): Promise<DriverProbe> {
  const missing = (await missingPackages(signal)).join(" ");
  if (missing !== "") {
    const reason = `making the disks of VMs: ${missing} is not installed`;
    return { isUsable: false, reason, remedy: `apt-get install ${missing}` };
  }
  const { host } = connection;
  const { kind, why } = await findAccelerator(connection, signal);
  const qemu = await host.hypervisorVersion({ signal });
  const libvirt = await host.libvirtVersion({ signal });
  const accelerator = kind === "kvm" ? "kvm" : "qemu emulation";
  const slow = kind === "kvm" ? [] : [`VMs are emulated, which is slow: ${why}`];
  return {
    isUsable: true,
    detail: `${accelerator}, QEMU ${qemu}, libvirt ${libvirt}`,
    warnings: [...slow, ...(await logWarnings(socketPath))],
  };
}

/** What is told where libvirt cannot even be asked. */
export function unusable(error: unknown): DriverProbe {
  const reason = error instanceof Error ? error.message : String(error);
  const isAbsent = error instanceof DriverError && hasCode(error.cause, "connect-failed");
  const remedy = isAbsent
    ? "apt-get install libvirt-daemon-system qemu-system-x86; systemctl start libvirtd"
    : "see what libvirtd logged";
  return { isUsable: false, reason, remedy };
}

async function logWarnings(socketPath: string): Promise<readonly string[]> {
  const socket = join(dirname(socketPath), "virtlogd-sock");
  const isThere = await stat(socket).then(
    () => true,
    () => false,
  );
  return isThere ? [] : [`virtlogd does not listen at ${socket}: nothing limits console logs`];
}
