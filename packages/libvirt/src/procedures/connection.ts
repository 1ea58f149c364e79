import { nothing, procedure, readString } from "../procedure.ts";
import type { XdrReader } from "../xdr-reader.ts";

/** What a host is made of, as its hypervisor sees it. */
export interface NodeInfo {
  /** The CPU's architecture or model. */
  readonly model: string;
  readonly memoryKib: number;
  readonly cpus: number;
  readonly mhz: number;
  readonly numaNodes: number;
  readonly socketsPerNode: number;
  readonly coresPerSocket: number;
  readonly threadsPerCore: number;
}

/** A host's memory, by libvirt's names; asked for 0 of them, only how many there are. */
export interface MemoryStats {
  readonly count: number;
  readonly kib: ReadonlyMap<string, number>;
}

/** What domain capabilities are asked for; what is absent is the host's default. */
export interface DomainCapabilitiesQuery {
  readonly emulator?: string | undefined;
  /** Such as `x86_64`. */
  readonly arch?: string | undefined;
  /** Such as `q35`. */
  readonly machine?: string | undefined;
  /** Such as `kvm` or `qemu`. */
  readonly virtType?: string | undefined;
}

// virNodeInfo's model is `char[32]`, and XDR gives each char a word of its own.
const MODEL_CHARS = 32;

// VIR_NODE_MEMORY_STATS_ALL_CELLS
const ALL_CELLS = -1;

function readNodeInfo(reader: XdrReader): NodeInfo {
  const chars = Array.from({ length: MODEL_CHARS }, () => reader.int());
  const end = chars.indexOf(0);
  return {
    model: String.fromCharCode(...chars.slice(0, end < 0 ? MODEL_CHARS : end)),
    memoryKib: reader.uhyper(),
    cpus: reader.int(),
    mhz: reader.int(),
    numaNodes: reader.int(),
    socketsPerNode: reader.int(),
    coresPerSocket: reader.int(),
    threadsPerCore: reader.int(),
  };
}

function readMemoryStats(reader: XdrReader): MemoryStats {
  const entries = reader.array((item) => [item.string(), item.uhyper()] as const);
  return { count: reader.int(), kib: new Map(entries) };
}

/** Procedures of the connection and of the host behind it. */
export const connectionProcedures = {
  open: procedure(
    1,
    "CONNECT_OPEN",
    (writer, args: { readonly uri: string; readonly flags: number }) =>
      writer.optionalString(args.uri).uint(args.flags),
    nothing,
  ),
  close: procedure(2, "CONNECT_CLOSE", nothing, nothing),
  getType: procedure(3, "CONNECT_GET_TYPE", nothing, readString),
  getVersion: procedure(4, "CONNECT_GET_VERSION", nothing, (reader) => reader.uhyper()),
  nodeInfo: procedure(6, "NODE_GET_INFO", nothing, readNodeInfo),
  capabilities: procedure(7, "CONNECT_GET_CAPABILITIES", nothing, readString),
  hostname: procedure(59, "CONNECT_GET_HOSTNAME", nothing, readString),
  supportsFeature: procedure(
    60,
    "CONNECT_SUPPORTS_FEATURE",
    (writer, feature: number) => writer.int(feature),
    (reader) => reader.boolean(),
  ),
  authList: procedure(66, "AUTH_LIST", nothing, (reader) => reader.array((item) => item.int())),
  freeMemory: procedure(102, "NODE_GET_FREE_MEMORY", nothing, (reader) => reader.uhyper()),
  getUri: procedure(110, "CONNECT_GET_URI", nothing, readString),
  getLibVersion: procedure(157, "CONNECT_GET_LIB_VERSION", nothing, (reader) => reader.uhyper()),
  memoryStats: procedure(
    228,
    "NODE_GET_MEMORY_STATS",
    (writer, count: number) => writer.int(count).int(ALL_CELLS).uint(0),
    readMemoryStats,
  ),
  domainCapabilities: procedure(
    342,
    "CONNECT_GET_DOMAIN_CAPABILITIES",
    (writer, query: DomainCapabilitiesQuery) =>
      writer
        .optionalString(query.emulator)
        .optionalString(query.arch)
        .optionalString(query.machine)
        .optionalString(query.virtType)
        .uint(0),
    readString,
  ),
} as const;
