/** Schemas of what operators declare, in the model's own shape: fleets, templates, images. */
import type {
  Artifact,
  Constraint,
  FleetSpec,
  HealthCheck,
  Image,
  Placement,
  PortMapping,
  Resources,
  RestartPolicy,
  Template,
  UpdatePolicy,
} from "@evm/fleet";
import { z } from "zod";
import {
  digest,
  durationMs,
  environment,
  filledText,
  fleetName,
  imageName,
  labelName,
  labels,
  listOf,
  MAX_UINT32,
  oneOf,
  optional,
  port,
  replicas,
  text,
  uint32,
  uint64,
  whole,
} from "./fields.ts";

export const DEFAULT_PLACEMENT: Placement = { constraints: [], strategy: "spread", apartFrom: [] };
export const DEFAULT_RESTART: RestartPolicy = {
  mode: "always",
  maxRestarts: 5,
  windowMs: 600_000,
  backoffMs: 1_000,
  maxBackoffMs: 60_000,
};
export const DEFAULT_UPDATE: UpdatePolicy = {
  maxUnavailable: 1,
  maxSurge: 0,
  failureThreshold: 1,
  onFailure: "pause",
};
export const DEFAULT_ON_HOST_LOSS = "restart" satisfies FleetSpec["onHostLoss"];
export const DEFAULT_ON_ISOLATION = "keep" satisfies FleetSpec["onIsolation"];

/** What a fleet has of which nothing but its orders is left. */
export const DEFAULT_POLICIES = {
  labels: {},
  placement: DEFAULT_PLACEMENT,
  update: DEFAULT_UPDATE,
  onHostLoss: DEFAULT_ON_HOST_LOSS,
} satisfies Partial<FleetSpec>;

export const TEMPLATE_KINDS = ["vm", "container"] as const;
export const RESTART_MODES = ["always", "on-failure", "never"] as const;
export const STRATEGIES = ["spread", "pack"] as const;
export const ON_HOST_LOSS = ["restart", "wait"] as const;
export const ON_ISOLATION = ["keep", "stop"] as const;
export const ON_FAILURE = ["pause", "rollback"] as const;
export const PROTOCOLS = ["tcp", "udp"] as const;

export const resources: z.ZodType<Resources> = z.object(
  { vcpuMillis: whole(1, MAX_UINT32), memoryMib: whole(1, MAX_UINT32), diskMib: uint32 },
  { error: "resources" },
);

/** Also of a host's capacity, which may be nothing. */
export const capacity: z.ZodType<Resources> = z.object(
  { vcpuMillis: uint32, memoryMib: uint32, diskMib: uint32 },
  { error: "resources" },
);

const constraint: z.ZodType<Constraint> = z
  .object({
    label: labelName,
    operator: oneOf(["in", "notIn", "exists", "notExists"]),
    values: listOf(text),
  })
  .refine(
    ({ operator, values }) =>
      operator === "in" || operator === "notIn" ? values.length > 0 : values.length === 0,
    { path: ["values"], error: "at least one value for in and notIn, none otherwise" },
  );

const placement: z.ZodType<Placement> = z.object(
  { constraints: listOf(constraint), strategy: oneOf(STRATEGIES), apartFrom: listOf(fleetName) },
  { error: "a placement" },
);

export const restart: z.ZodType<RestartPolicy> = z
  .object(
    {
      mode: oneOf(RESTART_MODES),
      maxRestarts: uint32,
      windowMs: durationMs,
      backoffMs: durationMs,
      maxBackoffMs: durationMs,
    },
    { error: "a restart policy" },
  )
  .refine(({ backoffMs, maxBackoffMs }) => backoffMs <= maxBackoffMs, {
    path: ["maxBackoffMs"],
    error: "at least as long as the first backoff",
  });

/** More extra instances than this at once are a second fleet. */
export const MAX_SURGE = 1_000;

/** Neither one down nor one extra: nothing could ever be replaced. */
export const canReplace = ({ maxUnavailable, maxSurge }: Room): boolean =>
  maxUnavailable + maxSurge > 0;
type Room = Pick<UpdatePolicy, "maxUnavailable" | "maxSurge">;

export const HAS_NO_ROOM = "at least 1, or 0 with a maxSurge of at least 1";

/** As many as may be replaced before one is ready: of more no update would ever hear. */
export const canStop = (policy: Room & Pick<UpdatePolicy, "failureThreshold">): boolean =>
  !canReplace(policy) || policy.failureThreshold <= policy.maxUnavailable + policy.maxSurge;

export const NEVER_STOPS = "at most maxUnavailable and maxSurge together: no more fail at once";

const update: z.ZodType<UpdatePolicy> = z
  .object(
    {
      maxUnavailable: uint32,
      maxSurge: whole(0, MAX_SURGE),
      failureThreshold: whole(1, MAX_UINT32),
      onFailure: oneOf(ON_FAILURE),
    },
    { error: "an update policy" },
  )
  .refine(canReplace, { path: ["maxUnavailable"], error: HAS_NO_ROOM })
  .refine(canStop, { path: ["failureThreshold"], error: NEVER_STOPS });

const portMapping: z.ZodType<PortMapping> = z.object({
  containerPort: port,
  hostPort: optional(port),
  protocol: oneOf(PROTOCOLS),
});

/** Probing more often than this costs more than it tells. */
export const MIN_PROBE_MS = 100;

const healthCheck: z.ZodType<HealthCheck> = z.object({
  command: listOf(text).min(1, { error: "a command of at least one word" }),
  intervalMs: whole(MIN_PROBE_MS, MAX_UINT32),
  timeoutMs: whole(MIN_PROBE_MS, MAX_UINT32),
  retries: whole(1, 1_000),
  startPeriodMs: durationMs,
});

const vm = z
  .object({
    kind: z.literal("vm"),
    resources,
    image: imageName,
    userData: optional(text),
    readiness: optional(z.object({ text: filledText, timeoutMs: durationMs })),
  })
  .refine((template) => template.resources.vcpuMillis % 1_000 === 0, {
    path: ["resources", "vcpuMillis"],
    error: "a multiple of 1000: VMs have whole virtual CPUs",
  });

const container = z.object({
  kind: z.literal("container"),
  resources,
  source: z.discriminatedUnion(
    "kind",
    [
      z.object({ kind: z.literal("image"), reference: filledText }),
      z.object({ kind: z.literal("build"), context: digest, dockerfile: filledText }),
    ],
    { error: "an image or a build" },
  ),
  command: listOf(text),
  environment,
  ports: listOf(portMapping),
  healthCheck: optional(healthCheck),
});

export const template: z.ZodType<Template> = z.discriminatedUnion("kind", [vm, container], {
  error: "a template: vm or container",
});

export const fleetSpec: z.ZodType<FleetSpec> = z.object(
  {
    name: fleetName,
    replicas,
    labels,
    template,
    placement,
    restart,
    update,
    onHostLoss: oneOf(ON_HOST_LOSS),
    onIsolation: oneOf(ON_ISOLATION),
  },
  { error: "a fleet" },
);

const artifact: z.ZodType<Artifact> = z.object(
  {
    url: z.string({ error: "a URL" }).regex(/^(file|https?):\/\/\S+$/, {
      error: "a URL that starts with file://, http:// or https://",
    }),
    digest,
    sizeBytes: uint64,
  },
  { error: "a file: url, digest and size" },
);

export const image: z.ZodType<Image> = z.object(
  {
    name: imageName,
    osFamily: oneOf(["linux", "windows"]),
    disk: artifact,
    diskFormat: oneOf(["qcow2", "raw"]),
    boot: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("disk") }),
      z.object({
        kind: z.literal("kernel"),
        kernel: artifact,
        initrd: optional(artifact),
        cmdline: text,
      }),
    ]),
  },
  { error: "an image" },
);
