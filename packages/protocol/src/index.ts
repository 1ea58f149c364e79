export * from "./gen/evm/v1/bus_pb.ts";
export * from "./gen/evm/v1/cluster_service_pb.ts";
export * from "./gen/evm/v1/event_pb.ts";
export * from "./gen/evm/v1/event_service_pb.ts";
export * from "./gen/evm/v1/fleet_service_pb.ts";
export * from "./gen/evm/v1/host_service_pb.ts";
export * from "./gen/evm/v1/image_pb.ts";
export * from "./gen/evm/v1/image_service_pb.ts";
export * from "./gen/evm/v1/instance_service_pb.ts";
export * from "./gen/evm/v1/orders_pb.ts";
export * from "./gen/evm/v1/plan_pb.ts";
export * from "./gen/evm/v1/report_pb.ts";
export * from "./gen/evm/v1/spec_pb.ts";
export * from "./gen/evm/v1/state_pb.ts";
export {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "./gen/grpc/health/v1/health_pb.ts";
export type { BidiCall, CallOptions, StreamOptions } from "./grpc-client.ts";
export { GrpcClient } from "./grpc-client.ts";
export type { CallContext, ErrorConverter, Handlers } from "./grpc-server.ts";
export { addService } from "./grpc-server.ts";
export type { ControlKey } from "./names.ts";
export {
  BLOBS_BUCKET,
  COMMIT_KEY,
  CONTROL_BUCKET,
  COORDINATOR_PING_SUBJECT,
  EPOCH_KEY,
  EVENT_SUBJECTS,
  EVENTS_STREAM,
  eventSubject,
  fleetKey,
  HEARTBEAT_SUBJECTS,
  heartbeatSubject,
  hostKey,
  hostVerbSubject,
  imageKey,
  keySubject,
  LOOK_KEY,
  ORDERS_REPUBLISH,
  ordersKey,
  ordersSubject,
  parseControlKey,
  REPORTS_BUCKET,
  reportKey,
  verbStreamSubject,
} from "./names.ts";
export { addReflection } from "./reflection.ts";
export type { ErrorInfo, FieldViolation, RpcCode } from "./rpc-error.ts";
export { RpcError } from "./rpc-error.ts";
export { VERSION } from "./version.ts";
