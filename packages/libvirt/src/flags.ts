// Flags by the names of libvirt's enumerations (libvirt-domain.h, -storage.h, -network.h, -host.h).
// Combine them with `|`.

/** virConnectFlags, for opening a connection. */
export const ConnectFlags = { readOnly: 1 << 0, noAliases: 1 << 1 } as const;

/**
 * virConnectListAllDomainsFlags. Flags of one group (active or inactive, persistent or transient,
 * …) are alternatives; groups narrow each other.
 */
export const ListDomainsFlags = {
  active: 1 << 0,
  inactive: 1 << 1,
  persistent: 1 << 2,
  transient: 1 << 3,
  running: 1 << 4,
  paused: 1 << 5,
  shutoff: 1 << 6,
  other: 1 << 7,
  managedSave: 1 << 8,
  noManagedSave: 1 << 9,
  autostart: 1 << 10,
  noAutostart: 1 << 11,
  hasSnapshot: 1 << 12,
  noSnapshot: 1 << 13,
  hasCheckpoint: 1 << 14,
  noCheckpoint: 1 << 15,
} as const;

/** virDomainStatsTypes: which groups of statistics to collect. */
export const StatsGroups = {
  state: 1 << 0,
  cpuTotal: 1 << 1,
  balloon: 1 << 2,
  vcpu: 1 << 3,
  interface: 1 << 4,
  block: 1 << 5,
  perf: 1 << 6,
  iothread: 1 << 7,
  memory: 1 << 8,
  dirtyRate: 1 << 9,
  vm: 1 << 10,
} as const;

/** virConnectGetAllDomainStatsFlags, beside those of ListDomainsFlags up to `other`. */
export const StatsFlags = {
  /** Leaves out what would have to wait for a busy domain. */
  noWait: 1 << 29,
  backing: 1 << 30,
  enforceStats: 1 << 31,
} as const;

/** virDomainCreateFlags. */
export const CreateFlags = {
  paused: 1 << 0,
  /** Destroys the domain when this connection ends. */
  autodestroy: 1 << 1,
  bypassCache: 1 << 2,
  forceBoot: 1 << 3,
  validate: 1 << 4,
  resetNvram: 1 << 5,
} as const;

/** virDomainDefineFlags. */
export const DefineFlags = { validate: 1 << 0 } as const;

/** virDomainUndefineFlagsValues. */
export const UndefineFlags = {
  managedSave: 1 << 0,
  snapshotsMetadata: 1 << 1,
  nvram: 1 << 2,
  keepNvram: 1 << 3,
  checkpointsMetadata: 1 << 4,
  tpm: 1 << 5,
  keepTpm: 1 << 6,
} as const;

/** virDomainDestroyFlagsValues. */
export const DestroyFlags = { graceful: 1 << 0, removeLogs: 1 << 1 } as const;

/** virDomainShutdownFlagValues and virDomainRebootFlagValues. 0 lets the hypervisor choose. */
export const ShutdownFlags = {
  acpiPowerButton: 1 << 0,
  guestAgent: 1 << 1,
  initctl: 1 << 2,
  signal: 1 << 3,
  paravirt: 1 << 4,
} as const;

/** virDomainXMLFlags. */
export const DomainXmlFlags = {
  secure: 1 << 0,
  inactive: 1 << 1,
  updateCpu: 1 << 2,
  migratable: 1 << 3,
} as const;

/** virDomainModificationImpact. 0 is whatever the domain is at the moment. */
export const AffectFlags = { live: 1 << 0, config: 1 << 1 } as const;

/** virDomainConsoleFlags. */
export const ConsoleFlags = { force: 1 << 0, safe: 1 << 1 } as const;

/** virConnectListAllStoragePoolsFlags, without those that choose by type. */
export const ListPoolsFlags = {
  inactive: 1 << 0,
  active: 1 << 1,
  persistent: 1 << 2,
  transient: 1 << 3,
  autostart: 1 << 4,
  noAutostart: 1 << 5,
} as const;

/** virStoragePoolCreateFlags. */
export const CreatePoolFlags = {
  withBuild: 1 << 0,
  withBuildOverwrite: 1 << 1,
  withBuildNoOverwrite: 1 << 2,
} as const;

/** virStorageVolCreateFlags. */
export const CreateVolumeFlags = { preallocMetadata: 1 << 0, reflink: 1 << 1 } as const;

/** virStorageVolDeleteFlags. */
export const DeleteVolumeFlags = { zeroed: 1 << 0, withSnapshots: 1 << 1 } as const;

/** virStorageVolResizeFlags. */
export const ResizeVolumeFlags = { allocate: 1 << 0, delta: 1 << 1, shrink: 1 << 2 } as const;

/** virConnectListAllNetworksFlags. */
export const ListNetworksFlags = {
  inactive: 1 << 0,
  active: 1 << 1,
  persistent: 1 << 2,
  transient: 1 << 3,
  autostart: 1 << 4,
  noAutostart: 1 << 5,
} as const;
