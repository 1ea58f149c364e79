import { NEED_RESULTS, procedure, readListing, readString } from "../procedure.ts";
import { type Network, readNamed, writeNamed, writeUuid } from "../structs.ts";
import type { XdrReader } from "../xdr-reader.ts";
import type { IpAddress } from "./domain.ts";

/** An address that a network's DHCP server handed out. */
export interface DhcpLease extends IpAddress {
  /** The bridge that it was handed out on. */
  readonly interface: string;
  readonly mac: string | undefined;
  /** Seconds since 1970. */
  readonly expiresAtSeconds: number;
  readonly hostname: string | undefined;
  readonly clientId: string | undefined;
}

function readLease(reader: XdrReader): DhcpLease {
  const bridge = reader.string();
  const expiresAtSeconds = reader.hyper();
  const family = reader.int() === 1 ? "ipv6" : "ipv4";
  const mac = reader.optionalString();
  reader.optionalString(); // the IAID of a DHCPv6 lease
  return {
    interface: bridge,
    expiresAtSeconds,
    family,
    mac,
    address: reader.string(),
    prefixLength: reader.uint(),
    hostname: reader.optionalString(),
    clientId: reader.optionalString(),
  };
}

/** Procedures on virtual networks. */
export const networkProcedures = {
  getXml: procedure(
    43,
    "NETWORK_GET_XML_DESC",
    (writer, args: { readonly network: Network; readonly flags: number }) => {
      writeNamed(writer, args.network);
      writer.uint(args.flags);
    },
    readString,
  ),
  lookupByName: procedure(
    46,
    "NETWORK_LOOKUP_BY_NAME",
    (writer, name: string) => writer.string(name),
    readNamed,
  ),
  lookupByUuid: procedure(47, "NETWORK_LOOKUP_BY_UUID", writeUuid, readNamed),
  isActive: procedure(152, "NETWORK_IS_ACTIVE", writeNamed, (reader) => reader.boolean()),
  list: procedure(
    283,
    "CONNECT_LIST_ALL_NETWORKS",
    (writer, flags: number) => writer.int(NEED_RESULTS).uint(flags),
    readListing(readNamed),
  ),
  dhcpLeases: procedure(
    341,
    "NETWORK_GET_DHCP_LEASES",
    (writer, args: { readonly network: Network; readonly mac: string | undefined }) => {
      writeNamed(writer, args.network);
      writer.optionalString(args.mac).int(NEED_RESULTS).uint(0);
    },
    readListing(readLease),
  ),
} as const;
