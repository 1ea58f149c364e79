// The values that requests and replies are made of (remote_protocol.x), and their XDR.

import { LibvirtError } from "./error.ts";
import type { XdrReader } from "./xdr-reader.ts";
import type { XdrWriter } from "./xdr-writer.ts";

/** What names a domain to the daemon. Drivers look it up by `uuid`. */
export interface DomainRef {
  readonly name: string;
  /** Canonical, lower case: `c7a5fdbd-edaf-9455-926a-d65c16db1809`. */
  readonly uuid: string;
}

/** A domain as the daemon returned it. */
export interface Domain extends DomainRef {
  /** The hypervisor's number for it while it is active. */
  readonly id: number | undefined;
}

export interface Network {
  readonly name: string;
  readonly uuid: string;
}

export interface Pool {
  readonly name: string;
  readonly uuid: string;
}

export interface Volume {
  /** The name of its pool. */
  readonly pool: string;
  readonly name: string;
  /** Unique on the host; for a volume that is a file, its path. */
  readonly key: string;
}

/** virTypedParameter's value. 64-bit integers beyond 2^53 are the nearest number. */
export type ParameterValue = number | boolean | string;

/** virTypedParameter, by field name, such as `cpu.time`. */
export type TypedParameters = ReadonlyMap<string, ParameterValue>;

const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

// The protocol's way to say that a domain is not active.
const NO_ID = -1;

export function writeUuid(writer: XdrWriter, uuid: string): void {
  if (!UUID.test(uuid)) {
    throw new LibvirtError("invalid-argument", `writing a UUID: ${JSON.stringify(uuid)} is none`);
  }
  writer.fixedOpaque(Buffer.from(uuid.replaceAll("-", ""), "hex"));
}

export function readUuid(reader: XdrReader): string {
  const hex = reader.fixedOpaque(UUID_BYTES).toString("hex");
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ] as const;
  return parts.map(([start, end]) => hex.slice(start, end)).join("-");
}

export function writeDomain(writer: XdrWriter, domain: DomainRef): void {
  writer.string(domain.name);
  writeUuid(writer, domain.uuid);
  // Drivers find a domain by its UUID; an id that a caller remembers may be stale.
  writer.int(NO_ID);
}

export function readDomain(reader: XdrReader): Domain {
  const name = reader.string();
  const uuid = readUuid(reader);
  const id = reader.int();
  return { name, uuid, id: id === NO_ID ? undefined : id };
}

/** Networks and pools look the same on the wire. */
export function writeNamed(writer: XdrWriter, object: Network | Pool): void {
  writer.string(object.name);
  writeUuid(writer, object.uuid);
}

export function readNamed(reader: XdrReader): { readonly name: string; readonly uuid: string } {
  return { name: reader.string(), uuid: readUuid(reader) };
}

export function writeVolume(writer: XdrWriter, volume: Volume): void {
  writer.string(volume.pool).string(volume.name).string(volume.key);
}

export function readVolume(reader: XdrReader): Volume {
  return { pool: reader.string(), name: reader.string(), key: reader.string() };
}

export function readParameters(reader: XdrReader): TypedParameters {
  return new Map(reader.array((item) => [item.string(), readParameterValue(item)] as const));
}

function readParameterValue(reader: XdrReader): ParameterValue {
  const type = reader.int();
  switch (type) {
    case 1:
      return reader.int();
    case 2:
      return reader.uint();
    case 3:
      return reader.hyper();
    case 4:
      return reader.uhyper();
    case 5:
      return reader.double();
    case 6:
      return reader.boolean();
    case 7:
      return reader.string();
    default:
      throw new LibvirtError("protocol", `reading a typed parameter: its type is ${type}`);
  }
}
