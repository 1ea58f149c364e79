import { NEED_RESULTS, nothing, procedure, readListing, readString } from "../procedure.ts";
import {
  type Pool,
  readNamed,
  readVolume,
  type Volume,
  writeNamed,
  writeUuid,
  writeVolume,
} from "../structs.ts";
import type { XdrReader } from "../xdr-reader.ts";
import type { XdrWriter } from "../xdr-writer.ts";

/** virStoragePoolInfo. */
export interface PoolInfo {
  readonly state: PoolState;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
  readonly availableBytes: number;
}

const poolStates = ["inactive", "building", "running", "degraded", "inaccessible"] as const;
export type PoolState = (typeof poolStates)[number] | "unknown";

/** virStorageVolInfo. */
export interface VolumeInfo {
  readonly type: VolumeType;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
}

const volumeTypes = ["file", "block", "dir", "network", "netdir", "ploop"] as const;
export type VolumeType = (typeof volumeTypes)[number] | "unknown";

interface PoolFlags {
  readonly pool: Pool;
  readonly flags: number;
}

interface VolumeFlags {
  readonly volume: Volume;
  readonly flags: number;
}

interface XmlFlags {
  readonly xml: string;
  readonly flags: number;
}

interface VolumeRange extends VolumeFlags {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

function writePoolFlags(writer: XdrWriter, args: PoolFlags): void {
  writeNamed(writer, args.pool);
  writer.uint(args.flags);
}

function writeVolumeFlags(writer: XdrWriter, args: VolumeFlags): void {
  writeVolume(writer, args.volume);
  writer.uint(args.flags);
}

function writeXmlFlags(writer: XdrWriter, args: XmlFlags): void {
  writer.string(args.xml).uint(args.flags);
}

function writeVolumeRange(writer: XdrWriter, args: VolumeRange): void {
  writeVolume(writer, args.volume);
  writer.uhyper(args.offsetBytes).uhyper(args.lengthBytes).uint(args.flags);
}

function readPoolInfo(reader: XdrReader): PoolInfo {
  return {
    state: poolStates[reader.uint()] ?? "unknown",
    capacityBytes: reader.uhyper(),
    allocationBytes: reader.uhyper(),
    availableBytes: reader.uhyper(),
  };
}

function readVolumeInfo(reader: XdrReader): VolumeInfo {
  return {
    type: volumeTypes[reader.int()] ?? "unknown",
    capacityBytes: reader.uhyper(),
    allocationBytes: reader.uhyper(),
  };
}

/** Procedures on storage pools. */
export const poolProcedures = {
  createXml: procedure(76, "STORAGE_POOL_CREATE_XML", writeXmlFlags, readNamed),
  define: procedure(77, "STORAGE_POOL_DEFINE_XML", writeXmlFlags, readNamed),
  create: procedure(78, "STORAGE_POOL_CREATE", writePoolFlags, nothing),
  destroy: procedure(80, "STORAGE_POOL_DESTROY", writeNamed, nothing),
  undefine: procedure(82, "STORAGE_POOL_UNDEFINE", writeNamed, nothing),
  refresh: procedure(83, "STORAGE_POOL_REFRESH", writePoolFlags, nothing),
  lookupByName: procedure(
    84,
    "STORAGE_POOL_LOOKUP_BY_NAME",
    (writer, name: string) => writer.string(name),
    readNamed,
  ),
  lookupByUuid: procedure(85, "STORAGE_POOL_LOOKUP_BY_UUID", writeUuid, readNamed),
  info: procedure(87, "STORAGE_POOL_GET_INFO", writeNamed, readPoolInfo),
  getXml: procedure(88, "STORAGE_POOL_GET_XML_DESC", writePoolFlags, readString),
  list: procedure(
    281,
    "CONNECT_LIST_ALL_STORAGE_POOLS",
    (writer, flags: number) => writer.int(NEED_RESULTS).uint(flags),
    readListing(readNamed),
  ),
} as const;

/** Procedures on storage volumes. */
export const volumeProcedures = {
  create: procedure(
    93,
    "STORAGE_VOL_CREATE_XML",
    (writer, args: XmlFlags & { readonly pool: Pool }) => {
      writeNamed(writer, args.pool);
      writeXmlFlags(writer, args);
    },
    readVolume,
  ),
  delete: procedure(94, "STORAGE_VOL_DELETE", writeVolumeFlags, nothing),
  lookupByName: procedure(
    95,
    "STORAGE_VOL_LOOKUP_BY_NAME",
    (writer, args: { readonly pool: Pool; readonly name: string }) => {
      writeNamed(writer, args.pool);
      writer.string(args.name);
    },
    readVolume,
  ),
  lookupByPath: procedure(
    97,
    "STORAGE_VOL_LOOKUP_BY_PATH",
    (writer, path: string) => writer.string(path),
    readVolume,
  ),
  info: procedure(98, "STORAGE_VOL_GET_INFO", writeVolume, readVolumeInfo),
  getXml: procedure(99, "STORAGE_VOL_GET_XML_DESC", writeVolumeFlags, readString),
  path: procedure(100, "STORAGE_VOL_GET_PATH", writeVolume, readString),
  createFrom: procedure(
    125,
    "STORAGE_VOL_CREATE_XML_FROM",
    (writer, args: XmlFlags & { readonly pool: Pool; readonly source: Volume }) => {
      writeNamed(writer, args.pool);
      writer.string(args.xml);
      writeVolume(writer, args.source);
      writer.uint(args.flags);
    },
    readVolume,
  ),
  upload: procedure(208, "STORAGE_VOL_UPLOAD", writeVolumeRange, nothing),
  download: procedure(209, "STORAGE_VOL_DOWNLOAD", writeVolumeRange, nothing),
  resize: procedure(
    260,
    "STORAGE_VOL_RESIZE",
    (writer, args: VolumeFlags & { readonly capacityBytes: number }) => {
      writeVolume(writer, args.volume);
      writer.uhyper(args.capacityBytes).uint(args.flags);
    },
    nothing,
  ),
  list: procedure(
    282,
    "STORAGE_POOL_LIST_ALL_VOLUMES",
    (writer, args: PoolFlags) => {
      writeNamed(writer, args.pool);
      writer.int(NEED_RESULTS).uint(args.flags);
    },
    readListing(readVolume),
  ),
} as const;
