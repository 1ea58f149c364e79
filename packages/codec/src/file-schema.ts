/**
 * What an operator types: one fleet of a fleet file, its defaults, and the model that it means.
 * Descriptions are written for editors: they go into the JSON Schema.
 */
import { ok as assert } from "node:assert";
import type { ContainerTemplate, FleetSpec, Resources, TemplateKind } from "@evm/fleet";
import { z } from "zod";
import { type BuildSource, container } from "./container-schema.ts";
import { duration } from "./duration.ts";
import {
  boolean,
  filledText,
  fleetName,
  imageName,
  labelName,
  labels,
  listOf,
  MAX_UINT32,
  oneOf,
  replicas,
  text,
  whole,
  word,
} from "./fields.ts";
import {
  canReplace,
  canStop,
  DEFAULT_ON_HOST_LOSS,
  DEFAULT_ON_ISOLATION,
  DEFAULT_PLACEMENT,
  DEFAULT_RESTART,
  DEFAULT_UPDATE,
  HAS_NO_ROOM,
  MAX_SURGE,
  NEVER_STOPS,
  ON_FAILURE,
  ON_HOST_LOSS,
  ON_ISOLATION,
  RESTART_MODES,
  STRATEGIES,
} from "./model-schema.ts";
import { exactlyOne, strict } from "./strict.ts";

/** A fleet as typed: complete, or still without the digest of the folder that it is built from. */
export type FleetDraft =
  | { readonly kind: "complete"; readonly spec: FleetSpec }
  | {
      readonly kind: "build";
      readonly source: BuildSource;
      readonly fleet: Omit<FleetSpec, "template">;
      readonly template: Omit<ContainerTemplate, "source">;
    };

/** Room for a small system; a VM's disk is the size of its image at least. */
const DEFAULT_DISK_GIB = { vm: 10, container: 1 } as const;
const MIB_PER_GIB = 1_024;
const MILLIS_PER_VCPU = 1_000;

const amount = (expected: string) =>
  z.number({ error: expected }).positive({ error: expected }).max(1_000_000, { error: expected });

const resources = strict(
  {
    vcpus: amount("a number of virtual CPUs, above 0")
      .prefault(1)
      .describe("Virtual CPUs: a whole number for VMs, parts like 0.25 for containers."),
    memoryMib: whole(1, MAX_UINT32).describe("Memory in MiB, promised and limited."),
    diskGib: amount("a number of GiB, above 0")
      .optional()
      .describe(
        "Disk in GiB; for a VM the size of its disk. Default: 10 for VMs, 1 for containers.",
      ),
  },
  "resources: vcpus, memoryMib, diskGib",
);

const vm = strict(
  {
    image: imageName.describe("Name of an image in the catalog (`evm images`)."),
    userData: text.optional().describe("cloud-init user data for the guest."),
    readyWhenConsoleShows: z
      .union(
        [
          filledText.transform((shown) => ({ text: shown, timeoutMs: 300_000 })),
          strict(
            { text: filledText, timeout: duration().prefault("5m") },
            "a text, and how long to wait for it",
          ).transform((readiness) => ({ text: readiness.text, timeoutMs: readiness.timeout })),
        ],
        { error: "a text, or {text: …, timeout: 5m}" },
      )
      .optional()
      .describe("The VM is ready once its serial console has shown this. Default: when it runs."),
  },
  "a VM: image, userData, readyWhenConsoleShows",
);

const constraint = strict(
  {
    label: labelName.describe("Label of a host."),
    in: listOf(word).min(1, { error: "at least one value" }).optional(),
    notIn: listOf(word).min(1, { error: "at least one value" }).optional(),
    exists: boolean.optional(),
  },
  "a constraint: label, and one of in, notIn, exists",
)
  .refine(...exactlyOne("in", "notIn", "exists"))
  .transform((typed): FleetSpec["placement"]["constraints"][number] => {
    const { label } = typed;
    if (typed.in !== undefined) return { label, operator: "in", values: typed.in };
    if (typed.notIn !== undefined) return { label, operator: "notIn", values: typed.notIn };
    return { label, operator: typed.exists === true ? "exists" : "notExists", values: [] };
  });

const placement = strict(
  {
    constraints: listOf(constraint).prefault([]).describe("All must hold."),
    strategy: oneOf(STRATEGIES)
      .prefault(DEFAULT_PLACEMENT.strategy)
      .describe("spread levels the load over hosts; pack fills one host before the next."),
    apartFrom: listOf(fleetName)
      .prefault([])
      .describe("Fleets that must not share a host with this one; its own name is allowed."),
  },
  "a placement: constraints, strategy, apartFrom",
);

const restart = strict(
  {
    policy: oneOf(RESTART_MODES).prefault(DEFAULT_RESTART.mode),
    maxRestarts: whole(0, 1_000_000)
      .prefault(DEFAULT_RESTART.maxRestarts)
      .describe("More than this within the window, and the instance has failed."),
    window: duration().prefault("10m"),
    backoff: duration().prefault("1s").describe("Before the second restart; then doubling."),
    maxBackoff: duration().prefault("1m"),
  },
  "a restart policy: policy, maxRestarts, window, backoff, maxBackoff",
)
  .refine(({ backoff, maxBackoff }) => backoff <= maxBackoff, {
    path: ["maxBackoff"],
    error: "at least as long as backoff",
  })
  .transform(({ policy, maxRestarts, window, backoff, maxBackoff }) => ({
    mode: policy,
    maxRestarts,
    windowMs: window,
    backoffMs: backoff,
    maxBackoffMs: maxBackoff,
  }));

const update = strict(
  {
    maxUnavailable: whole(0, 1_000_000)
      .prefault(DEFAULT_UPDATE.maxUnavailable)
      .describe("So many may be down at once while others are replaced; 0 only with maxSurge."),
    maxSurge: whole(0, MAX_SURGE)
      .prefault(DEFAULT_UPDATE.maxSurge)
      .describe("So many extra ones of the new template may exist meanwhile."),
    failureThreshold: whole(1, 1_000_000)
      .prefault(DEFAULT_UPDATE.failureThreshold)
      .describe("So many instances of the new template that have failed stop the update."),
    onFailure: oneOf(ON_FAILURE)
      .prefault(DEFAULT_UPDATE.onFailure)
      .describe("Then: pause until an operator decides, or go back to the previous template."),
  },
  "an update policy: maxUnavailable, maxSurge, failureThreshold, onFailure",
)
  .refine(canReplace, { path: ["maxUnavailable"], error: HAS_NO_ROOM })
  .refine(canStop, { path: ["failureThreshold"], error: NEVER_STOPS });

const numberOfVcpus = z.looseObject({ vcpus: z.number() });

const typedFleet = strict(
  {
    name: fleetName.describe("Identifies the fleet and begins the names of its instances."),
    replicas: replicas.prefault(1).describe("How many instances."),
    labels: labels.prefault({}).describe("Free-form, for people and filters."),
    vm: vm.optional().describe("What every instance is: a virtual machine."),
    container: container.optional().describe("What every instance is: a container."),
    resources: resources.describe("What each instance may use, and is promised."),
    placement: placement.prefault({}).describe("Which hosts qualify."),
    restart: restart.prefault({}).describe("When an instance that ended is started again."),
    update: update.prefault({}).describe("How a changed template replaces instances, in waves."),
    onHostLoss: oneOf(ON_HOST_LOSS)
      .prefault(DEFAULT_ON_HOST_LOSS)
      .describe("Start afresh elsewhere, or wait for the host."),
    onIsolation: oneOf(ON_ISOLATION)
      .prefault(DEFAULT_ON_ISOLATION)
      .describe("What a host that is cut off does: keep it running, or stop it."),
  },
  "a fleet: name, vm or container, resources, …",
  { sandbox: "vm or container; sandbox is not supported yet" },
)
  .refine(...exactlyOne("vm", "container"))
  .refine(({ vm, resources }) => vm === undefined || Number.isInteger(resources.vcpus), {
    path: ["resources", "vcpus"],
    error: "a whole number: VMs have whole virtual CPUs",
    // Also where other fields are wrong, so that all problems come at once.
    when: ({ value }) => z.looseObject({ resources: numberOfVcpus }).safeParse(value).success,
  })
  .meta({ oneOf: [{ required: ["vm"] }, { required: ["container"] }] });

/** One document of a fleet file. */
export const fleetDraft: z.ZodType<FleetDraft> = typedFleet.transform((typed): FleetDraft => {
  const { vm, container, resources, ...fleet } = typed;
  if (vm !== undefined) {
    const { image, userData, readyWhenConsoleShows: readiness } = vm;
    const template = { kind: "vm", image, userData, readiness } as const;
    const spec = { ...fleet, template: { ...template, resources: modelOf(resources, "vm") } };
    return { kind: "complete", spec };
  }
  assert(container !== undefined, "fleet file: neither vm nor container");
  const { image, build, command, environment, ports, healthCheck } = container;
  const template = {
    kind: "container",
    resources: modelOf(resources, "container"),
    ...{ command, environment, ports, healthCheck },
  } as const;
  if (build !== undefined) return { kind: "build", source: build, fleet, template };
  assert(image !== undefined, "fleet file: neither image nor build");
  const source = { kind: "image", reference: image } as const;
  return { kind: "complete", spec: { ...fleet, template: { ...template, source } } };
});

function modelOf(typed: z.output<typeof resources>, kind: TemplateKind): Resources {
  const { vcpus, memoryMib, diskGib = DEFAULT_DISK_GIB[kind] } = typed;
  const atLeastOne = (amount: number) => Math.max(1, Math.round(amount));
  return {
    vcpuMillis: atLeastOne(vcpus * MILLIS_PER_VCPU),
    memoryMib,
    diskMib: atLeastOne(diskGib * MIB_PER_GIB),
  };
}

/** The JSON Schema of one document, for editors. */
export function fleetFileJsonSchema(): object {
  return {
    title: "EVM fleet",
    ...z.toJSONSchema(typedFleet, { target: "draft-7", io: "input" }),
  };
}
