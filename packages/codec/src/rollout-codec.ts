/** Templates as orders and records name them, and where updates stand: between wire and model. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { NO_ROLLOUT, type OrderedTemplate, type Rollout } from "@evm/fleet";
import {
  RolloutSchema,
  RolloutState,
  type OrderedTemplate as WireOrderedTemplate,
  type Rollout as WireRollout,
} from "@evm/protocol";
import { codec, filled, wireEnum } from "./codec.ts";
import { imageInit, imageShape } from "./image-codec.ts";
import { templateInit, templateShape } from "./spec-codec.ts";
import * as schema from "./state-schema.ts";

const rolloutStateEnum = wireEnum({
  done: RolloutState.DONE,
  going: RolloutState.GOING,
  paused: RolloutState.PAUSED,
  halted: RolloutState.HALTED,
});

/** Where the update of a fleet stands. */
export const rolloutCodec = codec({
  what: "rollout",
  desc: RolloutSchema,
  schema: schema.rollout,
  init: rolloutInit,
  shape: rolloutShape,
});

export function orderedTemplateInit({ digest, template, image }: OrderedTemplate) {
  return {
    digest,
    template: templateInit(template),
    ...(image === undefined ? {} : { image: imageInit(image) }),
  };
}

export function orderedTemplateShape({ digest, template, image }: WireOrderedTemplate) {
  return {
    digest,
    template: template && templateShape(template),
    image: image && imageShape(image),
  };
}

export function rolloutInit(rollout: Rollout): MessageInitShape<typeof RolloutSchema> {
  const { state, previous, rolledBackBecause, knownFailures } = rollout;
  return {
    state: rolloutStateEnum.toWire(state.kind),
    holdReason: "reason" in state ? state.reason : "",
    ...(previous === undefined ? {} : { previous: orderedTemplateInit(previous) }),
    rolledBackBecause: rolledBackBecause ?? "",
    knownFailures: [...knownFailures],
  };
}

/** Absent: the fleet never had another template. */
export function rolloutShape(wire: WireRollout | undefined) {
  if (wire === undefined) return NO_ROLLOUT;
  const { state, holdReason, previous, rolledBackBecause, knownFailures } = wire;
  const kind = rolloutStateEnum.shape(state);
  return {
    state: holdReason === "" ? { kind } : { kind, reason: holdReason },
    previous: previous && orderedTemplateShape(previous),
    rolledBackBecause: filled(rolledBackBecause),
    knownFailures,
  };
}
