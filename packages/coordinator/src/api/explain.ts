/** Why an instance is where it is, or why it waits: what the planner says of it now. */
import { actionCodec, refusalCodec } from "@evm/codec";
import { explainPlace } from "@evm/fleet";
import type { InstanceView } from "../instances.ts";
import type { ApiContext } from "./context.ts";
import { instanceToWire } from "./instance-wire.ts";

export function explainInstance({ coordinator }: ApiContext, view: InstanceView) {
  const { snapshot, plan } = coordinator.picture();
  const waiting = plan.waiting.find((item) => item.instance === view.name);
  const actions = plan.actions.filter((action) => action.instance === view.name);
  const place = view.desired === "run" ? explainPlace(snapshot, view) : undefined;
  const reasons = [standing(view), waiting?.reason, place?.text, ...coordinator.doubts()];
  const refusals = waiting?.refusals ?? place?.refusals ?? [];
  return {
    instance: instanceToWire(view),
    reasons: reasons.filter((reason) => reason !== undefined),
    refusals: refusals.map(refusalCodec.toWire),
    nextActions: actions.map(actionCodec.toWire),
  };
}

/** Where it stands, as a sentence. */
function standing(view: InstanceView): string {
  const { name, incarnation, host, phase, reason, restarts } = view;
  if (host === undefined) return `${name} has no host yet`;
  const because = reason === undefined ? "" : `: ${reason}`;
  const often = restarts === 0 ? "" : `, restarted ${restarts} times there`;
  return `incarnation ${incarnation} is ${phase} on ${host}${often}${because}`;
}
