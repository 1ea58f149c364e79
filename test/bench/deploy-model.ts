/** What the two halves of the deploy bench have in common. */

export type Size = { readonly vms: number; readonly containers: number };

/** Milliseconds from the first call, or from `evm apply`; `removed` counts from its own start. */
export type Times = {
  readonly containersReady: number;
  readonly vmsReady: number;
  readonly allReady: number;
  readonly removed: number;
};

/** Begins the name of everything that the bench makes, so that it is found again. */
export const PREFIX = "evm-bench-";
export const VM_FLEET = `${PREFIX}vm`;
export const CONTAINER_FLEET = `${PREFIX}container`;

export const DISK_GIB = 1;
