import { type DomainState, domainState } from "../domain-state.ts";
import { NEED_RESULTS, nothing, procedure, readListing, readString } from "../procedure.ts";
import {
  type Domain,
  type DomainRef,
  readDomain,
  readParameters,
  type TypedParameters,
  writeDomain,
  writeUuid,
} from "../structs.ts";
import type { XdrReader } from "../xdr-reader.ts";
import type { XdrWriter } from "../xdr-writer.ts";

/** virDomainInfo. */
export interface DomainInfo {
  readonly state: DomainState["state"];
  readonly maxMemoryKib: number;
  readonly memoryKib: number;
  readonly vcpus: number;
  readonly cpuTimeNs: number;
}

/** The statistics of one domain, by libvirt's field names. */
export interface DomainStats {
  readonly domain: Domain;
  readonly parameters: TypedParameters;
}

/** One interface of a domain and its addresses. */
export interface DomainInterface {
  readonly name: string;
  readonly mac: string | undefined;
  readonly addresses: readonly IpAddress[];
}

export interface IpAddress {
  readonly family: "ipv4" | "ipv6";
  readonly address: string;
  readonly prefixLength: number;
}

interface DomainFlags {
  readonly domain: DomainRef;
  readonly flags: number;
}

interface XmlFlags {
  readonly xml: string;
  readonly flags: number;
}

function writeDomainFlags(writer: XdrWriter, args: DomainFlags): void {
  writeDomain(writer, args.domain);
  writer.uint(args.flags);
}

function writeXmlFlags(writer: XdrWriter, args: XmlFlags): void {
  writer.string(args.xml).uint(args.flags);
}

function readInfo(reader: XdrReader): DomainInfo {
  return {
    state: domainState(reader.uint(), 0).state,
    maxMemoryKib: reader.uhyper(),
    memoryKib: reader.uhyper(),
    vcpus: reader.uint(),
    cpuTimeNs: reader.uhyper(),
  };
}

function readInterface(reader: XdrReader): DomainInterface {
  return {
    name: reader.string(),
    mac: reader.optionalString(),
    addresses: reader.array((item) => ({
      family: item.int() === 1 ? "ipv6" : "ipv4",
      address: item.string(),
      prefixLength: item.uint(),
    })),
  };
}

/** Procedures on domains. */
export const domainProcedures = {
  createXml: procedure(10, "DOMAIN_CREATE_XML", writeXmlFlags, readDomain),
  getXml: procedure(14, "DOMAIN_GET_XML_DESC", writeDomainFlags, readString),
  getAutostart: procedure(15, "DOMAIN_GET_AUTOSTART", writeDomain, (reader) => reader.boolean()),
  info: procedure(16, "DOMAIN_GET_INFO", writeDomain, readInfo),
  lookupByName: procedure(
    23,
    "DOMAIN_LOOKUP_BY_NAME",
    (writer, name: string) => writer.string(name),
    readDomain,
  ),
  lookupByUuid: procedure(24, "DOMAIN_LOOKUP_BY_UUID", writeUuid, readDomain),
  reboot: procedure(27, "DOMAIN_REBOOT", writeDomainFlags, nothing),
  resume: procedure(28, "DOMAIN_RESUME", writeDomain, nothing),
  setAutostart: procedure(
    29,
    "DOMAIN_SET_AUTOSTART",
    (writer, args: { readonly domain: DomainRef; readonly autostart: boolean }) => {
      writeDomain(writer, args.domain);
      writer.int(args.autostart ? 1 : 0);
    },
    nothing,
  ),
  suspend: procedure(34, "DOMAIN_SUSPEND", writeDomain, nothing),
  create: procedure(196, "DOMAIN_CREATE_WITH_FLAGS", writeDomainFlags, readDomain),
  openConsole: procedure(
    201,
    "DOMAIN_OPEN_CONSOLE",
    (writer, args: DomainFlags & { readonly device: string | undefined }) => {
      writeDomain(writer, args.domain);
      writer.optionalString(args.device).uint(args.flags);
    },
    nothing,
  ),
  state: procedure(212, "DOMAIN_GET_STATE", writeDomainFlags, (reader) =>
    domainState(reader.int(), reader.int()),
  ),
  undefine: procedure(231, "DOMAIN_UNDEFINE_FLAGS", writeDomainFlags, nothing),
  destroy: procedure(234, "DOMAIN_DESTROY_FLAGS", writeDomainFlags, nothing),
  reset: procedure(245, "DOMAIN_RESET", writeDomainFlags, nothing),
  shutdown: procedure(258, "DOMAIN_SHUTDOWN_FLAGS", writeDomainFlags, nothing),
  setMetadata: procedure(
    264,
    "DOMAIN_SET_METADATA",
    (
      writer,
      args: DomainFlags & {
        readonly type: number;
        readonly value: string | undefined;
        readonly key: string | undefined;
        readonly uri: string | undefined;
      },
    ) => {
      writeDomain(writer, args.domain);
      writer.int(args.type).optionalString(args.value).optionalString(args.key);
      writer.optionalString(args.uri).uint(args.flags);
    },
    nothing,
  ),
  getMetadata: procedure(
    265,
    "DOMAIN_GET_METADATA",
    (writer, args: DomainFlags & { readonly type: number; readonly uri: string | undefined }) => {
      writeDomain(writer, args.domain);
      writer.int(args.type).optionalString(args.uri).uint(args.flags);
    },
    readString,
  ),
  list: procedure(
    273,
    "CONNECT_LIST_ALL_DOMAINS",
    (writer, flags: number) => writer.int(NEED_RESULTS).uint(flags),
    readListing(readDomain),
  ),
  stats: procedure(
    344,
    "CONNECT_GET_ALL_DOMAIN_STATS",
    (
      writer,
      args: {
        readonly domains: readonly DomainRef[];
        readonly groups: number;
        readonly flags: number;
      },
    ) => writer.array(args.domains, writeDomain).uint(args.groups).uint(args.flags),
    (reader): readonly DomainStats[] =>
      reader.array((item) => ({ domain: readDomain(item), parameters: readParameters(item) })),
  ),
  define: procedure(350, "DOMAIN_DEFINE_XML_FLAGS", writeXmlFlags, readDomain),
  interfaceAddresses: procedure(
    353,
    "DOMAIN_INTERFACE_ADDRESSES",
    (writer, args: DomainFlags & { readonly source: number }) => {
      writeDomain(writer, args.domain);
      writer.uint(args.source).uint(args.flags);
    },
    (reader): readonly DomainInterface[] => reader.array(readInterface),
  ),
} as const;
