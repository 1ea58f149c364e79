/** Every incarnation there is or should be, as one list: orders and reports laid side by side. */
import {
  type Digest,
  type FleetName,
  type FleetRecord,
  type HostName,
  type HostView,
  type InstanceName,
  instanceName,
  isInMaintenance,
  type Observed,
  type OrderedInstance,
  type Phase,
  type Snapshot,
  type TemplateKind,
} from "@evm/fleet";

export type InstanceView = {
  readonly name: InstanceName;
  readonly fleet: FleetName;
  readonly index: number;
  /** 0 where it has not been placed yet. */
  readonly incarnation: number;
  readonly kind: TemplateKind;
  readonly template: Digest;
  readonly host: HostName | undefined;
  readonly phase: Phase;
  readonly since: number | undefined;
  readonly restarts: number;
  readonly reason: string | undefined;
  readonly address: string | undefined;
  /** Undefined where no orders name it: it waits for a host, or rests in quarantine. */
  readonly desired: OrderedInstance["desired"] | undefined;
};

/**
 * In whatever order: to sort many takes longer than to make them, and who counts need not.
 *
 * @param viewsOn gives those of one host, in whatever order
 */
export function instanceViews(
  snapshot: Snapshot,
  viewsOn: (host: HostView) => readonly InstanceView[],
): readonly InstanceView[] {
  const placed = new Set<InstanceName>();
  const views: InstanceView[] = [];
  for (const host of snapshot.hosts) {
    for (const view of viewsOn(host)) {
      views.push(view);
      placed.add(view.name);
    }
  }
  for (const fleet of snapshot.fleets) views.push(...pendingOf(fleet, placed));
  return views;
}

/** By name, then incarnation, the newest first. */
export const compareViews = (a: InstanceView, b: InstanceView): number =>
  a.name === b.name ? b.incarnation - a.incarnation : a.name < b.name ? -1 : 1;

const keyOf = (item: { readonly name: InstanceName; readonly incarnation: number }): string =>
  `${item.name}.${item.incarnation}`;

/** Every incarnation that one host's orders or report name. */
export function hostInstanceViews(host: HostView): readonly InstanceView[] {
  const observed = new Map<string, Observed>();
  for (const instance of host.report?.instances ?? []) observed.set(keyOf(instance), instance);
  const views: InstanceView[] = [];
  for (const ordered of host.orders?.instances ?? []) {
    const seen = observed.get(keyOf(ordered));
    observed.delete(keyOf(ordered));
    views.push(
      seen === undefined ? unseenView(host, ordered) : observedView(host, seen, ordered.desired),
    );
  }
  for (const seen of observed.values()) views.push(observedView(host, seen, undefined));
  return views;
}

function unseenView(host: HostView, ordered: OrderedInstance): InstanceView {
  const template = host.orders?.templates.find((item) => item.digest === ordered.template);
  if (template === undefined) {
    throw new Error(`orders of ${host.name}: ${ordered.name} names a template they do not list`);
  }
  return {
    name: ordered.name,
    fleet: ordered.fleet,
    index: ordered.index,
    incarnation: ordered.incarnation,
    kind: template.template.kind,
    template: ordered.template,
    host: host.name,
    phase: unseenPhase(host, ordered),
    since: undefined,
    restarts: 0,
    reason: whereabouts(host),
    address: undefined,
    desired: ordered.desired,
  };
}

/** Why what is said of an instance may be old. */
function whereabouts(host: HostView): string | undefined {
  switch (host.liveness) {
    case "up":
      return undefined;
    case "unknown":
      return "its host is not heard of";
    case "silent":
      return "its host is silent, and too many others are";
    case "lost":
      return isInMaintenance(host) ? "its host is in maintenance" : "its host is lost";
  }
}

function unseenPhase(host: HostView, ordered: OrderedInstance): Phase {
  if (host.liveness === "lost") return "lost";
  return ordered.desired === "run" ? "placed" : "stopped";
}

function observedView(
  host: HostView,
  seen: Observed,
  desired: OrderedInstance["desired"] | undefined,
): InstanceView {
  const where = whereabouts(host);
  return {
    name: seen.name,
    fleet: seen.fleet,
    index: seen.index,
    incarnation: seen.incarnation,
    kind: seen.kind,
    template: seen.template,
    host: host.name,
    phase: host.liveness === "lost" ? "lost" : seen.phase,
    since: seen.since,
    restarts: seen.restarts,
    reason: where === undefined ? seen.reason : `${where}; last seen ${seen.phase}`,
    address: seen.address,
    desired,
  };
}

function pendingOf(fleet: FleetRecord, placed: ReadonlySet<InstanceName>): InstanceView[] {
  if (fleet.state === "deleting") return [];
  const views: InstanceView[] = [];
  for (let index = 0; index < fleet.spec.replicas; index++) {
    const name = instanceName(fleet.spec.name, index);
    if (placed.has(name)) continue;
    views.push({
      name,
      fleet: fleet.spec.name,
      index,
      incarnation: 0,
      kind: fleet.spec.template.kind,
      template: fleet.template,
      host: undefined,
      phase: "pending",
      since: undefined,
      restarts: 0,
      reason: undefined,
      address: undefined,
      desired: undefined,
    });
  }
  return views;
}
