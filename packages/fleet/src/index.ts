export { type Acceptance, acceptOrders } from "./accept-orders.ts";
export { addressee, describeRival, speaksFor } from "./addressee.ts";
export {
  type BlastLimits,
  type BlastRadius,
  blastRadius,
  type Disturbance,
  describeBlastRadius,
  needsConfirmation,
} from "./blast-radius.ts";
export { type Brake, brake, describeBrake, type HostSign, type HostSigns } from "./brake.ts";
export { check } from "./check.ts";
export type { Clock } from "./clock.ts";
export type {
  Applied,
  AppliedBy,
  Heartbeat,
  HostAdmin,
  HostRecord,
  LeaseGrant,
  Ping,
} from "./control.ts";
export { type ConvergeInput, converge, isolated } from "./converge.ts";
export { drainForecast } from "./drain-forecast.ts";
export type { EventRecord, Severity, StoredEvent } from "./event.ts";
export { explainPlace, type PlaceExplanation } from "./explain-place.ts";
export { type Forecast, type ForecastAction, forecast } from "./forecast.ts";
export { type Claim, HostLoad } from "./host-load.ts";
export type { AgentId, Digest, FleetName, HostName, ImageName, InstanceName } from "./ids.ts";
export {
  instanceName,
  isAgentId,
  isDigest,
  isFleetName,
  isHostName,
  isImageName,
  isInstanceName,
  MAX_FLEET_NAME_LENGTH,
  runtimeName,
} from "./ids.ts";
export type { Artifact, Boot, Image } from "./image.ts";
export { artifactsOf } from "./image.ts";
export { isNewer } from "./is-newer.ts";
export { nextEpochBase } from "./life.ts";
export { isDrained, isInMaintenance } from "./maintenance.ts";
export type { OrderedFleet, OrderedInstance, OrderedTemplate, Orders } from "./orders.ts";
export type { ObservedPhase, Phase } from "./phase.ts";
export { isAlive, PHASES } from "./phase.ts";
export { Cluster, type PlaceResult, place } from "./place.ts";
export type { Action, Note, Plan, Refusal, Violation, Waiting } from "./plan.ts";
export {
  type ClusterExport,
  type RebuildInput,
  type Rebuilt,
  type RebuiltFleet,
  type RebuiltHost,
  rebuild,
} from "./rebuild.ts";
export { appliedBy, isAhead, type Recall, recall } from "./recall.ts";
export { reconcile } from "./reconcile.ts";
export type { DriverStatus, Instant, Observed, PoolStatus, Report } from "./report.ts";
export {
  failuresOf,
  hasFailed,
  NO_ROLLOUT,
  presentTemplate,
  type Rollout,
  type RolloutState,
  resumed,
  rolledBack,
  SURGE_INDEX,
  updated,
  withRolloutState,
} from "./rollout.ts";
export type { PlaceRequest, Ranking, Rule } from "./rule.ts";
export { isSame } from "./same.ts";
export type {
  FleetRecord,
  HostView,
  InstanceWish,
  Overcommit,
  Snapshot,
} from "./snapshot.ts";
export type {
  ConsoleReadiness,
  Constraint,
  ContainerSource,
  ContainerTemplate,
  FleetSpec,
  HealthCheck,
  Labels,
  Placement,
  PortMapping,
  Resources,
  RestartPolicy,
  Template,
  TemplateKind,
  UpdatePolicy,
  VmTemplate,
} from "./spec.ts";
export { type History, type RestartRecord, remember, type Step } from "./step.ts";
