/** An instance as clients see it. */
import { create } from "@bufbuild/protobuf";
import { desiredEnum, phaseEnum, templateKindEnum } from "@evm/codec";
import { Desired, type Instance, InstanceSchema } from "@evm/protocol";
import type { InstanceView } from "../instances.ts";

export const instanceToWire = (view: InstanceView): Instance =>
  create(InstanceSchema, {
    name: view.name,
    fleet: view.fleet,
    index: view.index,
    incarnation: view.incarnation,
    kind: templateKindEnum.toWire(view.kind),
    host: view.host ?? "",
    phase: phaseEnum.toWire(view.phase),
    sinceMs: BigInt(view.since ?? 0),
    restarts: view.restarts,
    reason: view.reason ?? "",
    address: view.address ?? "",
    templateDigest: view.template,
    desired: view.desired === undefined ? Desired.UNSPECIFIED : desiredEnum.toWire(view.desired),
  });
