/** Fleets and templates: between wire and model. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Constraint,
  ContainerTemplate,
  FleetSpec,
  PortMapping,
  Resources,
  RestartPolicy,
  Template,
} from "@evm/fleet";
import {
  type ConstraintSchema,
  type ContainerTemplateSchema,
  FleetSpecSchema,
  OnFailure,
  OnHostLoss,
  OnIsolation,
  Operator,
  type PortMappingSchema,
  Protocol,
  ResourcesSchema,
  RestartMode,
  type RestartPolicySchema,
  Strategy,
  type TemplateSchema,
  type Constraint as WireConstraint,
  type ContainerTemplate as WireContainer,
  type FleetSpec as WireFleetSpec,
  type HealthCheck as WireHealthCheck,
  type Placement as WirePlacement,
  type PortMapping as WirePortMapping,
  type Resources as WireResources,
  type RestartPolicy as WireRestartPolicy,
  type Template as WireTemplate,
  type UpdatePolicy as WireUpdatePolicy,
  type VmTemplate as WireVm,
} from "@evm/protocol";
import { codec, wireEnum } from "./codec.ts";
import * as schema from "./model-schema.ts";

const onHostLoss = wireEnum({
  restart: OnHostLoss.RESTART,
  wait: OnHostLoss.WAIT,
});
export const onIsolation = wireEnum({
  keep: OnIsolation.KEEP,
  stop: OnIsolation.STOP,
});
const onFailure = wireEnum({ pause: OnFailure.PAUSE, rollback: OnFailure.ROLL_BACK });
const strategy = wireEnum({ spread: Strategy.SPREAD, pack: Strategy.PACK });
const operator = wireEnum({
  in: Operator.IN,
  notIn: Operator.NOT_IN,
  exists: Operator.EXISTS,
  notExists: Operator.NOT_EXISTS,
});
const restartMode = wireEnum({
  always: RestartMode.ALWAYS,
  "on-failure": RestartMode.ON_FAILURE,
  never: RestartMode.NEVER,
});
const protocol = wireEnum({ tcp: Protocol.TCP, udp: Protocol.UDP });

/** What an operator declares. Where the wire leaves out what has a default, the model has it. */
export const fleetSpecCodec = codec({
  what: "fleet",
  desc: FleetSpecSchema,
  schema: schema.fleetSpec,
  init: fleetSpecInit,
  shape: fleetSpecShape,
});

/** Of an instance, or of a host, which may have none left. */
export const resourcesCodec = codec({
  what: "resources",
  desc: ResourcesSchema,
  schema: schema.capacity,
  init: resourcesInit,
  shape: resourcesShape,
});

export function fleetSpecInit(spec: FleetSpec): MessageInitShape<typeof FleetSpecSchema> {
  return {
    name: spec.name,
    replicas: spec.replicas,
    labels: { ...spec.labels },
    template: templateInit(spec.template),
    placement: {
      constraints: spec.placement.constraints.map(constraintInit),
      strategy: strategy.toWire(spec.placement.strategy),
      apartFrom: [...spec.placement.apartFrom],
    },
    restart: restartInit(spec.restart),
    update: { ...spec.update, onFailure: onFailure.toWire(spec.update.onFailure) },
    onHostLoss: onHostLoss.toWire(spec.onHostLoss),
    onIsolation: onIsolation.toWire(spec.onIsolation),
  };
}

export function fleetSpecShape(wire: WireFleetSpec) {
  return {
    name: wire.name,
    replicas: wire.replicas,
    labels: wire.labels,
    template: wire.template && templateShape(wire.template),
    placement: placementShape(wire.placement),
    restart: wire.restart === undefined ? schema.DEFAULT_RESTART : restartShape(wire.restart),
    update: wire.update === undefined ? schema.DEFAULT_UPDATE : updateShape(wire.update),
    onHostLoss: onHostLoss.shape(wire.onHostLoss) ?? schema.DEFAULT_ON_HOST_LOSS,
    onIsolation: onIsolation.shape(wire.onIsolation) ?? schema.DEFAULT_ON_ISOLATION,
  };
}

export function resourcesInit({ vcpuMillis, memoryMib, diskMib }: Resources) {
  return { vcpuMillis, memoryMib, diskMib };
}

export function resourcesShape({ vcpuMillis, memoryMib, diskMib }: WireResources) {
  return { vcpuMillis, memoryMib, diskMib };
}

export function templateInit(template: Template): MessageInitShape<typeof TemplateSchema> {
  const resources = resourcesInit(template.resources);
  switch (template.kind) {
    case "vm": {
      const { image, userData, readiness } = template;
      const value = {
        image,
        ...(userData === undefined ? {} : { userData }),
        ...(readiness === undefined ? {} : { readiness: { ...readiness } }),
      };
      return { resources, kind: { case: "vm", value } };
    }
    case "container":
      return { resources, kind: { case: "container", value: containerInit(template) } };
  }
}

function containerInit(
  template: ContainerTemplate,
): MessageInitShape<typeof ContainerTemplateSchema> {
  const { source, command, environment, ports, healthCheck } = template;
  return {
    source:
      source.kind === "image"
        ? { case: "image", value: source.reference }
        : {
            case: "build",
            value: { contextDigest: source.context, dockerfile: source.dockerfile },
          },
    command: [...command],
    environment: { ...environment },
    ports: ports.map(portInit),
    ...(healthCheck === undefined
      ? {}
      : { healthCheck: { ...healthCheck, command: [...healthCheck.command] } }),
  };
}

function portInit(mapping: PortMapping): MessageInitShape<typeof PortMappingSchema> {
  const { containerPort, hostPort } = mapping;
  return {
    containerPort,
    ...(hostPort === undefined ? {} : { hostPort }),
    protocol: protocol.toWire(mapping.protocol),
  };
}

export function templateShape({ resources, kind }: WireTemplate) {
  const shape = { kind: kind.case, resources: resources && resourcesShape(resources) };
  switch (kind.case) {
    case "vm":
      return { ...shape, ...vmShape(kind.value) };
    case "container":
      return { ...shape, ...containerShape(kind.value) };
    case undefined:
      return shape;
  }
}

function vmShape({ image, userData, readiness }: WireVm) {
  return {
    image,
    userData,
    readiness: readiness && { text: readiness.text, timeoutMs: readiness.timeoutMs },
  };
}

function containerShape(wire: WireContainer) {
  const { command, environment, ports, healthCheck } = wire;
  return {
    source: sourceShape(wire.source),
    command,
    environment,
    ports: ports.map(portShape),
    healthCheck: healthCheck && healthCheckShape(healthCheck),
  };
}

function sourceShape(source: WireContainer["source"]) {
  switch (source.case) {
    case "image":
      return { kind: "image", reference: source.value };
    case "build": {
      const { contextDigest, dockerfile } = source.value;
      return { kind: "build", context: contextDigest, dockerfile: dockerfile || "Dockerfile" };
    }
    case undefined:
      return undefined;
  }
}

const portShape = (wire: WirePortMapping) => ({
  containerPort: wire.containerPort,
  hostPort: wire.hostPort,
  protocol: protocol.shape(wire.protocol) ?? "tcp",
});

const healthCheckShape = (wire: WireHealthCheck) => ({
  command: wire.command,
  intervalMs: wire.intervalMs,
  timeoutMs: wire.timeoutMs,
  retries: wire.retries,
  startPeriodMs: wire.startPeriodMs,
});

const constraintInit = (constraint: Constraint): MessageInitShape<typeof ConstraintSchema> => ({
  label: constraint.label,
  operator: operator.toWire(constraint.operator),
  values: [...constraint.values],
});

function placementShape(wire: WirePlacement | undefined) {
  if (wire === undefined) return schema.DEFAULT_PLACEMENT;
  return {
    constraints: wire.constraints.map(constraintShape),
    strategy: strategy.shape(wire.strategy) ?? schema.DEFAULT_PLACEMENT.strategy,
    apartFrom: wire.apartFrom,
  };
}

const constraintShape = (wire: WireConstraint) => ({
  label: wire.label,
  operator: operator.shape(wire.operator),
  values: wire.values,
});

const updateShape = (wire: WireUpdatePolicy) => ({
  maxUnavailable: wire.maxUnavailable,
  maxSurge: wire.maxSurge,
  failureThreshold: wire.failureThreshold || schema.DEFAULT_UPDATE.failureThreshold,
  onFailure: onFailure.shape(wire.onFailure) ?? schema.DEFAULT_UPDATE.onFailure,
});

export const restartInit = (
  policy: RestartPolicy,
): MessageInitShape<typeof RestartPolicySchema> => ({
  ...policy,
  mode: restartMode.toWire(policy.mode),
});

export const restartShape = (wire: WireRestartPolicy) => ({
  mode: restartMode.shape(wire.mode) ?? schema.DEFAULT_RESTART.mode,
  maxRestarts: wire.maxRestarts,
  windowMs: wire.windowMs,
  backoffMs: wire.backoffMs,
  maxBackoffMs: wire.maxBackoffMs,
});
