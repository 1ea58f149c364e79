/** What the host offers to instances. */
import type { PoolStatus, Resources } from "@evm/fleet";

/** What the machine has, as `node:os` says. */
export type Machine = { readonly cpus: number; readonly memoryBytes: number };

/** What is kept back from instances, for the host itself. */
export type Reserve = {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskMib: number;
};

const MIB = 1024 * 1024;

/** The machine and its pools, less the reserve; never below nothing. */
export function capacityOf(
  machine: Machine,
  pools: readonly PoolStatus[],
  reserve: Reserve,
): Resources {
  const diskBytes = pools.reduce((sum, pool) => sum + pool.totalBytes, 0);
  return {
    vcpuMillis: Math.max(0, Math.floor((machine.cpus - reserve.vcpus) * 1000)),
    memoryMib: Math.max(0, Math.floor(machine.memoryBytes / MIB) - reserve.memoryMib),
    diskMib: Math.max(0, Math.floor(diskBytes / MIB) - reserve.diskMib),
  };
}
