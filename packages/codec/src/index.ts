export type { BuildContext } from "./build-context.ts";
export { packBuildContext } from "./build-context.ts";
export type { Codec, WireEnum } from "./codec.ts";
export type { CodecErrorCode, Problem } from "./codec-error.ts";
export { CodecError, describeProblem } from "./codec-error.ts";
export type { BuildSource } from "./container-schema.ts";
export { sha256, templateDigest } from "./digest.ts";
export { duration, parseDuration } from "./duration.ts";
export { type EpochHolder, epochHolderCodec } from "./epoch-codec.ts";
export { clusterExportCodec, type Restored, restoredCodec } from "./export-codec.ts";
export { formatExport, parseExport } from "./export-file.ts";
export { fleetFileJsonSchema } from "./file-schema.ts";
export type { FileProblem, FleetFile, ParsedFleet, ParsedFleets } from "./fleet-file.ts";
export {
  describeFileProblem,
  parseFleetFiles,
  resolveBuild,
} from "./fleet-file.ts";
export { imageCodec } from "./image-codec.ts";
export { DEFAULT_POLICIES } from "./model-schema.ts";
export { rolloutCodec } from "./rollout-codec.ts";
export type { SettingsSource } from "./settings.ts";
export { loadSettings } from "./settings.ts";
export { fleetSpecCodec, resourcesCodec } from "./spec-codec.ts";
export {
  desiredEnum,
  driverStatusCodec,
  fleetRecordCodec,
  hostAdminEnum,
  hostRecordCodec,
  ordersCodec,
  phaseEnum,
  poolStatusCodec,
  reportCodec,
  templateKindEnum,
} from "./state-codec.ts";
export type { ShownPlan } from "./talk-codec.ts";
export {
  actionCodec,
  eventCodec,
  heartbeatCodec,
  leaseGrantCodec,
  pingCodec,
  planCodec,
  refusalCodec,
  storedEventCodec,
  waitingCodec,
} from "./talk-codec.ts";
export type { HostConsoleRequest, HostLogsRequest } from "./verb-codec.ts";
export { hostConsoleRequestCodec, hostLogsRequestCodec } from "./verb-codec.ts";
