/** The real drivers, images and limits of a host, by its settings. */
import { readFile } from "node:fs/promises";
import {
  createDockerDriver,
  createLibvirtDriver,
  type Driver,
  hasVirtualization,
} from "@evm/drivers";
import type { TemplateKind } from "@evm/fleet";
import { createImageCache, type ImageCache } from "@evm/images";
import type { HostStore } from "@evm/store";
import { systemClock } from "@evm/telemetry";
import type { AgentConfig } from "./config.ts";
import type { Slots } from "./steps.ts";

export type HostParts = {
  readonly images: ImageCache;
  readonly drivers: readonly Driver[];
};

export type HostPartsOptions = {
  readonly config: AgentConfig;
  /** Where build contexts come from. */
  readonly store: Pick<HostStore, "getBlob">;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Ends the connections that drivers hold. */
  readonly resources: AsyncDisposableStack;
};

/** The image cache and the drivers that the settings enable. */
export function hostParts({ config, store, random, resources }: HostPartsOptions): HostParts {
  const clock = systemClock;
  // Two hosts on one machine, as in tests, must not take each other's instances for their own.
  const owner = config.host;
  const images = createImageCache({ pools: config.pools, fetch, random });
  const create: Record<TemplateKind, () => Driver> = {
    vm: () => resources.use(createLibvirtDriver({ ...config.libvirt, owner, images, clock })),
    container: () =>
      createDockerDriver({
        ...config.docker,
        owner,
        getContext: (digest, signal) => store.getBlob(digest, signal),
        clock,
        random,
      }),
  };
  return { images, drivers: [...new Set(config.drivers)].map((kind) => create[kind]()) };
}

/**
 * How many steps go on at once. Preparing mostly waits for downloads and disks, stopping for the
 * instance. Docker's daemon spends 0.3 s of CPU on a start: beyond four at once each only takes
 * longer. An emulated guest needs a CPU of its own until it has booted; with KVM it needs little
 * more than its disk.
 */
export async function slotsOf(): Promise<Record<TemplateKind, Slots>> {
  const usual = { prepare: 16, start: 4, stop: 16, discard: 4, isHeldUntilReady: false };
  const isEmulated = !hasVirtualization(await readFile("/proc/cpuinfo", "utf8"));
  const emulated = { ...usual, prepare: 4, start: 2, isHeldUntilReady: true };
  return { container: usual, vm: isEmulated ? emulated : usual };
}
