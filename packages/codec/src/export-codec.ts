/** Exports of the cluster and what a restore made of them: between wire and model. */
import type { ClusterExport, Rebuilt, RebuiltFleet, RebuiltHost } from "@evm/fleet";
import {
  ClusterExportSchema,
  FleetSource,
  OrdersSource,
  RestoreClusterResponseSchema,
  type ClusterExport as WireExport,
  type RestoreClusterResponse as WireRestored,
} from "@evm/protocol";
import { z } from "zod";
import { codec, wireEnum } from "./codec.ts";
import { everyOf, fleetName, hostName, oneOf, uint32, uint64 } from "./fields.ts";
import { imageCodec } from "./image-codec.ts";
import { image } from "./model-schema.ts";
import { fleetRecordCodec, hostRecordCodec } from "./state-codec.ts";
import { fleetRecord, hostRecord } from "./state-schema.ts";

const clusterExport: z.ZodType<ClusterExport> = z.object({
  exportedAt: uint64,
  epoch: uint64,
  revision: uint64,
  fleets: everyOf(fleetRecord),
  images: everyOf(image),
  hosts: everyOf(hostRecord),
});

export const clusterExportCodec = codec({
  what: "export",
  desc: ClusterExportSchema,
  schema: clusterExport,
  init: (value: ClusterExport) => ({
    exportedAtMs: BigInt(value.exportedAt),
    epoch: BigInt(value.epoch),
    revision: BigInt(value.revision),
    fleets: value.fleets.map(fleetRecordCodec.toWire),
    images: value.images.map(imageCodec.toWire),
    hosts: value.hosts.map(hostRecordCodec.toWire),
  }),
  shape: (wire: WireExport) => ({
    exportedAt: Number(wire.exportedAtMs),
    epoch: Number(wire.epoch),
    revision: Number(wire.revision),
    fleets: wire.fleets.map(fleetRecordCodec.fromWire),
    images: wire.images.map(imageCodec.fromWire),
    hosts: wire.hosts.map(hostRecordCodec.fromWire),
  }),
});

/** What a restore made, or would make. */
export type Restored = Rebuilt["summary"] & {
  readonly notes: readonly string[];
  readonly epochBase: number;
};

const fleetSource = wireEnum({
  kept: FleetSource.EXPORT,
  stored: FleetSource.STORED,
  orders: FleetSource.ORDERS,
});
const hostSource = wireEnum({
  answer: OrdersSource.HOST,
  stored: OrdersSource.STORED,
  new: OrdersSource.NONE,
  none: OrdersSource.UNKNOWN,
});

const restoredFleet: z.ZodType<RebuiltFleet> = z.object({
  name: fleetName,
  source: oneOf(["kept", "stored", "orders"]),
  replicas: uint32,
  running: uint32,
});

const restoredHost: z.ZodType<RebuiltHost> = z.object({
  name: hostName,
  source: oneOf(["answer", "stored", "new", "none"]),
  epoch: uint64,
  generation: uint64,
  running: uint32,
});

const restored: z.ZodType<Restored> = z.object({
  fleets: everyOf(restoredFleet),
  hosts: everyOf(restoredHost),
  notes: everyOf(z.string()),
  epochBase: uint64,
});

export const restoredCodec = codec({
  what: "restored cluster",
  desc: RestoreClusterResponseSchema,
  schema: restored,
  init: (value: Restored) => ({
    fleets: value.fleets.map((one) => ({ ...one, source: fleetSource.toWire(one.source) })),
    hosts: value.hosts.map((one) => ({
      ...one,
      source: hostSource.toWire(one.source),
      epoch: BigInt(one.epoch),
      generation: BigInt(one.generation),
    })),
    notes: [...value.notes],
    epochBase: BigInt(value.epochBase),
  }),
  shape: (wire: WireRestored) => ({
    fleets: wire.fleets.map((one) => ({ ...one, source: fleetSource.shape(one.source) })),
    hosts: wire.hosts.map((one) => ({
      ...one,
      source: hostSource.shape(one.source),
      epoch: Number(one.epoch),
      generation: Number(one.generation),
    })),
    notes: wire.notes,
    epochBase: Number(wire.epochBase),
  }),
});
