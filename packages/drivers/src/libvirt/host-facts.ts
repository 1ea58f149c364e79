/** What a host offers to VMs, found out by asking: for `probe`, and for every new domain. */
import { readFile } from "node:fs/promises";
import { type Connection, hasCode, isNoNetwork } from "@evm/libvirt";
import type { HostFacts, NetworkChoice } from "./domain-xml.ts";

const DEFAULT_NETWORK = "default";

export type Accelerator = { readonly kind: HostFacts["accelerator"]; readonly why: string };

/** True where the CPU can run guests itself. @param cpuinfo the text of /proc/cpuinfo */
export const hasVirtualization = (cpuinfo: string): boolean =>
  /^flags\s*:.*\b(?:vmx|svm)\b/m.test(cpuinfo);

/**
 * KVM only where the CPU says so and libvirt has found it usable. The CPU's flag decides first:
 * on some machines /dev/kvm opens all the same, and then guests hang on it.
 */
export async function findAccelerator(
  connection: Connection,
  signal: AbortSignal,
): Promise<Accelerator> {
  if (!hasVirtualization(await readFile("/proc/cpuinfo", "utf8"))) {
    return { kind: "emulation", why: "the CPU has neither vmx nor svm" };
  }
  try {
    await connection.host.domainCapabilities({ virtType: "kvm" }, { signal });
    return { kind: "kvm", why: "the CPU and libvirt offer it" };
  } catch (error) {
    // How libvirt says that it does not offer KVM.
    if (!hasCode(error, "INVALID_ARG", "NO_SUPPORT", "CONFIG_UNSUPPORTED")) throw error;
    return { kind: "emulation", why: "libvirt finds /dev/kvm not usable" };
  }
}

/** libvirt's default network where it is active, else none. */
export async function findNetwork(
  connection: Connection,
  signal: AbortSignal,
): Promise<NetworkChoice> {
  const { networks } = connection;
  try {
    const network = await networks.lookupByName(DEFAULT_NETWORK, { signal });
    const isActive = await networks.isActive(network, { signal });
    return isActive ? { kind: "network", name: DEFAULT_NETWORK } : { kind: "none" };
  } catch (error) {
    if (isNoNetwork(error)) return { kind: "none" };
    throw error;
  }
}

/** Address by MAC address, as the network's DHCP server handed them out; none where it is gone. */
export async function leasesOf(
  connection: Connection,
  networkName: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { networks } = connection;
  try {
    const network = await networks.lookupByName(networkName, { signal });
    const leases = await networks.dhcpLeases(network, { signal });
    return new Map(leases.map(({ mac, address }) => [mac ?? "", address]));
  } catch (error) {
    if (isNoNetwork(error) || hasCode(error, "OPERATION_INVALID")) return new Map();
    throw error;
  }
}
