/**
 * What a change would come to in the end, not just in its next pass: `reconcile` is asked again and
 * again in a world in which every host that is up obeys at once, until nothing is left to do. What
 * an operator then sees of an instance is one action, though it takes several passes.
 */
import type { HostName, InstanceName } from "./ids.ts";
import type { OrderedInstance, Orders } from "./orders.ts";
import type { Action, Plan } from "./plan.ts";
import { reconcile } from "./reconcile.ts";
import type { Observed, Report } from "./report.ts";
import type { HostView, Snapshot } from "./snapshot.ts";

export type Forecast = Pick<Plan, "waiting" | "notes"> & {
  readonly actions: readonly ForecastAction[];
};

/** `wave` says when it begins: those of wave 2 wait for those of wave 1, and so on. */
export type ForecastAction = Action & { readonly wave: number };

/**
 * A rolling update of one instance at a time takes a pass for each, or three where it moves. What
 * is not reached is left out of `actions`, and `waiting` says of it that it waits for its turn.
 */
const MAX_PASSES = 600;
/**
 * Passes times instances: about a second of work. Whoever asks is a coordinator that has hosts to
 * answer meanwhile, so of a great cluster only the next few passes are told.
 */
const MAX_LOOKS = 200_000;
/** A replacement that is not kept waiting is done in so many. */
const MIN_PASSES = 4;

/** One action for each instance that would change, in the order in which it would begin. */
export function forecast(snapshot: Snapshot): Forecast {
  const outcomes = new Map<InstanceName, ForecastAction>();
  let wave = 0;
  const maxPasses = passesFor(snapshot);
  let world = snapshot;
  for (let pass = 1; ; pass++) {
    const plan = reconcile(world);
    const begins = plan.actions.some(
      ({ kind, instance }) => kind !== "forget" && !outcomes.has(instance),
    );
    if (begins) wave += 1;
    for (const action of plan.actions) {
      if (action.kind === "forget") continue;
      const before = outcomes.get(action.instance);
      outcomes.set(action.instance, outcome(before, { ...action, wave: before?.wave ?? wave }));
    }
    const changes = [plan.orders, plan.fleets, plan.forgottenFleets];
    const isSettled = changes.every((some) => some.length === 0);
    if (isSettled || pass === maxPasses) {
      return { actions: [...outcomes.values()], waiting: plan.waiting, notes: plan.notes };
    }
    world = obeyed(world, plan);
  }
}

function passesFor({ fleets }: Snapshot): number {
  const instances = fleets.reduce((sum, { spec }) => sum + spec.replicas, 1);
  return Math.max(MIN_PASSES, Math.min(MAX_PASSES, Math.floor(MAX_LOOKS / instances)));
}

/** How much an action says of what becomes of its instance. */
const WEIGHT = {
  forget: 0,
  stop: 1,
  discard: 2,
  resume: 3,
  create: 4,
  restart: 4,
  replace: 4,
  move: 4,
} as const satisfies Record<Action["kind"], number>;

/** The one that says more; the reason is that of the first step towards it. */
function outcome(before: ForecastAction | undefined, next: ForecastAction): ForecastAction {
  if (before === undefined) return next;
  if (WEIGHT[next.kind] < WEIGHT[before.kind]) return before;
  const isFirstStep = before.kind === "stop" && next.kind !== "stop";
  return isFirstStep ? { ...next, reason: before.reason } : next;
}

/** The world after every host that is up has carried out the plan and reported so. */
function obeyed(world: Snapshot, plan: Plan): Snapshot {
  const orders = new Map<HostName, Orders>(plan.orders.map((it) => [it.host, it]));
  const forgotten = new Set(plan.forgottenFleets);
  const changed = new Map(plan.fleets.map((record) => [record.spec.name, record]));
  return {
    ...world,
    fleets: world.fleets.flatMap((fleet) =>
      forgotten.has(fleet.spec.name) ? [] : [changed.get(fleet.spec.name) ?? fleet],
    ),
    hosts: world.hosts.map((host) => {
      const given = orders.get(host.name);
      return given === undefined ? host : withOrders(host, given);
    }),
  };
}

function withOrders(host: HostView, orders: Orders): HostView {
  if (host.liveness !== "up" || host.report === undefined) return { ...host, orders };
  return { ...host, orders, report: obedientReport(host.report, orders) };
}

function obedientReport(report: Report, orders: Orders): Report {
  const kinds = new Map(orders.templates.map((it) => [it.digest, it.template.kind]));
  const seen = new Map(report.instances.map((it) => [keyOf(it), it]));
  const instances = orders.instances.flatMap((ordered): readonly Observed[] => {
    const kind = kinds.get(ordered.template);
    const before = seen.get(keyOf(ordered));
    seen.delete(keyOf(ordered));
    if (ordered.desired === "discard" || kind === undefined) return [];
    if (ordered.desired === "stop" && before === undefined) return [];
    const phase = ordered.desired === "run" ? "ready" : "stopped";
    return [{ ...fresh(ordered, kind), ...before, phase, reason: undefined, exit: undefined }];
  });
  const others = [...seen.values()].map((it): Observed => ({ ...it, phase: "stopped" }));
  const { epoch, generation } = orders;
  return { ...report, epoch, generation, instances: [...instances, ...others] };
}

const keyOf = (item: Pick<Observed, "name" | "incarnation">): string =>
  `${item.name}.${item.incarnation}`;

function fresh(ordered: OrderedInstance, kind: Observed["kind"]): Observed {
  return {
    name: ordered.name,
    fleet: ordered.fleet,
    index: ordered.index,
    incarnation: ordered.incarnation,
    kind,
    template: ordered.template,
    phase: "ready",
    since: 0,
    restarts: 0,
    reason: undefined,
    exit: undefined,
    address: undefined,
  };
}
