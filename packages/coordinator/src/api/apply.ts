/** Declaring fleets: all of a request or none of it, and nothing where it is already so. */
import {
  CodecError,
  describeProblem,
  fleetSpecCodec,
  type Problem,
  templateDigest,
} from "@evm/codec";
import {
  type FleetName,
  type FleetRecord,
  type FleetSpec,
  failuresOf,
  type Image,
  isSame,
  NO_ROLLOUT,
  updated,
} from "@evm/fleet";
import {
  type ApplyFleetsRequest,
  ApplyOutcome,
  RpcError,
  type FleetSpec as WireFleetSpec,
} from "@evm/protocol";
import type { Versioned, Write } from "@evm/store";
import { assertConfirmed } from "./blast-radius.ts";
import { assertActive } from "./change-fleet.ts";
import { compareAndSet, outdated } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";

/** One atomic batch holds 1,000 messages; nobody declares half as many fleets at once. */
const MAX_FLEETS_PER_REQUEST = 500;

type Prepared = {
  readonly writes: readonly Write<FleetRecord>[];
  readonly applied: readonly Applied[];
  /** Those of the writes that begin an update. */
  readonly begun: readonly FleetRecord[];
};

export type Applied = { readonly name: FleetName; readonly outcome: ApplyOutcome };

/** Parses every spec of a request; throws one `CodecError` with the problems of all. */
export function parseSpecs(wires: readonly WireFleetSpec[]): readonly FleetSpec[] {
  if (wires.length > MAX_FLEETS_PER_REQUEST) {
    throw new RpcError("invalidArgument", `fleets: at most ${MAX_FLEETS_PER_REQUEST} at once`);
  }
  const problems: Problem[] = [];
  const specs = new Map<FleetName, FleetSpec>();
  wires.forEach((wire, at) => {
    const path = `fleets[${at}]`;
    try {
      const spec = fleetSpecCodec.fromWire(wire);
      if (specs.has(spec.name)) {
        const expected = "a name that no other fleet in the request has";
        problems.push({ field: `${path}.name`, value: spec.name, expected });
      }
      specs.set(spec.name, spec);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      problems.push(...error.problems.map((p) => ({ ...p, field: `${path}.${p.field}` })));
    }
  });
  if (problems.length > 0) {
    const message = problems.map(describeProblem).join("; ");
    throw new CodecError("invalid", message, { problems });
  }
  return [...specs.values()];
}

/** The record that declares `spec`: its image as the catalog has it now, older wishes kept. */
export function declaredRecord(
  context: ApiContext,
  spec: FleetSpec,
  before: FleetRecord | undefined,
): FleetRecord {
  if (before !== undefined) assertActive(before);
  const image = imageOf(context, spec);
  const template = templateDigest(spec.template, image);
  if (before === undefined) {
    return { spec, image, template, state: "active", wishes: [], rollout: NO_ROLLOUT };
  }
  const wishes = before.wishes.filter((wish) => wish.index < spec.replicas);
  if (template === before.template) return { ...before, spec, wishes };
  const { snapshot } = context.coordinator.picture();
  const declared = { ...before, spec: { ...spec, template: before.spec.template }, wishes };
  const next = { digest: template, template: spec.template, image };
  return updated(declared, next, failuresOf(snapshot, spec.name, template));
}

function imageOf(context: ApiContext, spec: FleetSpec): Image | undefined {
  const { template } = spec;
  switch (template.kind) {
    case "container":
      return undefined;
    case "vm": {
      const { images } = context.store.control();
      const image = images.get(template.image)?.value;
      if (image !== undefined) return image;
      const known = [...images.keys()].sort().join(", ");
      const has = known === "" ? "is empty" : `has ${known}`;
      throw new RpcError(
        "failedPrecondition",
        `fleet "${spec.name}": image "${template.image}" is not in the catalog, which ${has}; ` +
          "add it with `evm images add`",
      );
    }
  }
}

/** Returns once the result can be read here, in the order of the request. */
export async function applyFleets(
  context: ApiContext,
  request: ApplyFleetsRequest,
  signal: AbortSignal,
): Promise<readonly Applied[]> {
  const specs = parseSpecs(request.fleets);
  assertNamed(specs, request.expectedRevisions);
  let prepared: Prepared = { writes: [], applied: [], begun: [] };
  const write = () => {
    prepared = prepare(context, specs, request.expectedRevisions);
    const { writes } = prepared;
    if (writes.length === 0) return undefined;
    assertConfirmed(context, { fleets: writes.map(({ value }) => value) }, request.confirmed);
    return context.store.putFleets(writes, signal);
  };
  await compareAndSet(context, { what: "apply", write, signal });
  announce(context, prepared);
  return prepared.applied;
}

/** An expectation of a fleet that is not in the request would guard nothing, unnoticed. */
function assertNamed(
  specs: readonly FleetSpec[],
  expectedRevisions: { readonly [name: string]: bigint },
): void {
  const names = new Set<string>(specs.map((spec) => spec.name));
  const violations = Object.keys(expectedRevisions)
    .filter((name) => !names.has(name))
    .map((name) => ({
      field: `expected_revisions["${name}"]`,
      description: "names no fleet of this request",
    }));
  if (violations.length === 0) return;
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw new RpcError("invalidArgument", message, { violations });
}

function prepare(
  context: ApiContext,
  specs: readonly FleetSpec[],
  expectedRevisions: { readonly [name: string]: bigint },
): Prepared {
  const { fleets } = context.store.control();
  const writes: Write<FleetRecord>[] = [];
  const begun: FleetRecord[] = [];
  const applied = specs.map((spec) => {
    const before = fleets.get(spec.name);
    const value = declaredRecord(context, spec, before?.value);
    const outcome = outcomeOf(before?.value, value);
    if (outcome !== ApplyOutcome.UNCHANGED) {
      assertRevision(spec.name, expectedRevisions[spec.name], before);
      writes.push({ value, expectedRevision: before?.revision ?? 0 });
    }
    if (before !== undefined && before.value.template !== value.template) begun.push(value);
    return { name: spec.name, outcome };
  });
  return { writes, applied, begun };
}

function assertRevision(
  name: FleetName,
  expected: bigint | undefined,
  before: Versioned<FleetRecord> | undefined,
): void {
  const found = before?.revision ?? 0;
  if (expected !== undefined && expected !== BigInt(found))
    throw outdated(`fleet "${name}"`, expected, found);
}

function outcomeOf(before: FleetRecord | undefined, after: FleetRecord): ApplyOutcome {
  if (before === undefined) return ApplyOutcome.CREATED;
  return isSame(before, after) ? ApplyOutcome.UNCHANGED : ApplyOutcome.CHANGED;
}

function announce(context: ApiContext, { writes, begun }: Prepared): void {
  for (const { value } of writes) {
    const { name, replicas, template } = value.spec;
    const text = `${name}: ${replicas} × ${template.kind}`;
    context.coordinator.announcer.say("info", "FleetApplied", text, { fleet: name });
  }
  for (const record of begun) context.coordinator.announcer.rollout(record);
}
