// A libvirt RPC client: connect() gives a Connection, which groups its requests by what they are
// on: host, domains, pools, volumes, networks. Everything that fails rejects with a LibvirtError.

export {
  ByteStream,
  RECEIVE_HIGH_BYTES,
  STALL_LIMIT_MS,
} from "./byte-stream.ts";
export type { CallOptions, FlagOptions } from "./caller.ts";
export { QUEUE_LIMIT } from "./calls.ts";
export {
  type Connection,
  type ConnectOptions,
  connect,
  DEFAULT_MAX_CALLS_IN_FLIGHT,
  DEFAULT_SOCKET_PATH,
  DEFAULT_TIMEOUT_MS,
} from "./connection.ts";
export {
  type DomainState,
  type DomainStateName,
  type DomainStateReason,
  domainState,
  type LifecycleChange,
  type LifecycleEventDetail,
  type LifecycleEventName,
} from "./domain-state.ts";
export type {
  ConsoleOptions,
  Domains,
  InterfaceAddressOptions,
  Metadata,
  MetadataPart,
  StatsOptions,
} from "./domains.ts";
export {
  type ClientErrorCode,
  type DaemonErrorCode,
  type DaemonErrorDomain,
  type DaemonErrorOrigin,
  hasCode,
  isNoDomain,
  isNoNetwork,
  isNoPool,
  isNoVolume,
  isOperationInvalid,
  LibvirtError,
  type LibvirtErrorCode,
  type LibvirtErrorLevel,
} from "./error.ts";
export {
  AffectFlags,
  ConnectFlags,
  ConsoleFlags,
  CreateFlags,
  CreatePoolFlags,
  CreateVolumeFlags,
  DefineFlags,
  DeleteVolumeFlags,
  DestroyFlags,
  DomainXmlFlags,
  ListDomainsFlags,
  ListNetworksFlags,
  ListPoolsFlags,
  ResizeVolumeFlags,
  ShutdownFlags,
  StatsFlags,
  StatsGroups,
  UndefineFlags,
} from "./flags.ts";
export type { Host } from "./host.ts";
export { DEFAULT_KEEPALIVE, type KeepaliveOptions } from "./keepalive.ts";
export { EVENT_LIMIT, type LifecycleWatch, type WatchOptions } from "./lifecycle-events.ts";
export type { LeaseOptions, Networks } from "./networks.ts";
export type { Pools } from "./pools.ts";
export type { DomainCapabilitiesQuery, NodeInfo } from "./procedures/connection.ts";
export type { DomainInfo, DomainInterface, DomainStats, IpAddress } from "./procedures/domain.ts";
export type { LifecycleEvent } from "./procedures/domain-event.ts";
export type { DhcpLease } from "./procedures/network.ts";
export type { PoolInfo, PoolState, VolumeInfo, VolumeType } from "./procedures/storage.ts";
export type {
  Domain,
  DomainRef,
  Network,
  ParameterValue,
  Pool,
  TypedParameters,
  Volume,
} from "./structs.ts";
export type { TransferOptions, Volumes } from "./volumes.ts";
