/**
 * The agent's decision: what it was ordered against what its drivers list.
 *
 * It needs no coordinator: with the last orders it has, an agent keeps its instances alive. It is
 * asked again after every step, so it gives at most one step per instance (by name):
 *
 *  1. What must not run is stopped first, oldest incarnation first: what orders mark `stop` or
 *     `discard`, what they do not name, and every incarnation older than the one ordered to run.
 *     So two incarnations of one instance never run here side by side.
 *  2. What orders mark `discard` is removed once it is stopped. Nothing else ever is (I4).
 *  3. What is ordered to run is prepared, then started, and restarted as its policy says.
 *
 * An incarnation *newer* than every one ordered of that instance is left alone, and what is ordered
 * of the instance waits beside it: the host was once ordered to run it, so these orders are from
 * before that (a restored store), and newer ones will follow.
 *
 * How a driver's states are to be observed:
 *   made, never started → `stopped` without `exit`       exited → `stopped` with `exit`
 *   up, readiness not shown yet → `running`               up and ready → `ready`
 *   up, but its readiness ran out → `running` with `exit: "failure"` (it is then stopped)
 *   only a discard helps, or the record says given up → `failed`
 * and `preparing`, `starting`, `stopping` while the agent carries out such a step.
 *
 * Chance has no place here: an agent that wants jitter adds it to the times it schedules.
 */
import type { InstanceName } from "./ids.ts";
import { runtimeName } from "./ids.ts";
import type { OrderedFleet, OrderedInstance, OrderedTemplate, Orders } from "./orders.ts";
import { isAlive } from "./phase.ts";
import type { Instant, Observed } from "./report.ts";
import { decideRestart } from "./restart.ts";
import type { History, RestartRecord, Step } from "./step.ts";

export type ConvergeInput = {
  /** The orders last accepted; absent before the first, and then nothing is touched. */
  readonly orders: Orders | undefined;
  readonly observed: readonly Observed[];
  readonly history: History;
  readonly now: Instant;
};

/** The next step of each instance that needs one, in the order in which to begin them. */
export function converge({ orders, observed, history, now }: ConvergeInput): readonly Step[] {
  if (orders === undefined) return [];
  const context: Context = {
    templates: new Map(orders.templates.map((template) => [template.digest, template])),
    fleets: new Map(orders.fleets.map((fleet) => [fleet.name, fleet])),
    history,
    now,
  };
  const steps: Step[] = [];
  for (const instance of groupByName(orders.instances, observed)) {
    const step = nextStep(instance, context);
    if (step !== undefined) steps.push(step);
  }
  return steps.sort((a, b) => URGENCY[a.kind] - URGENCY[b.kind]);
}

/** What frees room comes first; waiting is not doing. */
const URGENCY = { stop: 0, discard: 1, start: 2, prepare: 3, giveUp: 4, wait: 5 } as const;

type Context = {
  readonly templates: ReadonlyMap<string, OrderedTemplate>;
  readonly fleets: ReadonlyMap<string, OrderedFleet>;
  readonly history: History;
  readonly now: Instant;
};

/** Every incarnation of one instance, oldest first. */
type Instance = { readonly ordered: OrderedInstance[]; readonly observed: Observed[] };

function groupByName(
  ordered: readonly OrderedInstance[],
  observed: readonly Observed[],
): Iterable<Instance> {
  const byName = new Map<InstanceName, Instance>();
  const groupOf = (name: InstanceName): Instance => {
    const known = byName.get(name);
    if (known !== undefined) return known;
    const group = { ordered: [], observed: [] };
    byName.set(name, group);
    return group;
  };
  for (const one of ordered) groupOf(one.name).ordered.push(one);
  for (const one of observed) groupOf(one.name).observed.push(one);
  for (const group of byName.values()) {
    group.ordered.sort((a, b) => a.incarnation - b.incarnation);
    group.observed.sort((a, b) => a.incarnation - b.incarnation);
  }
  return byName.values();
}

function nextStep({ ordered, observed }: Instance, context: Context): Step | undefined {
  const orderOf = new Map(ordered.map((one) => [one.incarnation, one]));
  const target = ordered.findLast((one) => one.desired === "run");
  const newestOrdered = ordered.at(-1)?.incarnation;
  const isBeyondOrders = (one: Observed): boolean =>
    newestOrdered !== undefined && one.incarnation > newestOrdered;

  const surplus = observed.filter(
    (one) => one.incarnation !== target?.incarnation && !isBeyondOrders(one),
  );
  for (const one of surplus) {
    const step = stopStep(one, orderOf.get(one.incarnation), target, context);
    if (step !== undefined) return step;
  }
  if (surplus.some((one) => one.phase === "stopping")) return undefined;
  const doomed = surplus.find((one) => orderOf.get(one.incarnation)?.desired === "discard");
  if (doomed !== undefined) {
    return { kind: "discard", ...targetOf(doomed), reason: "ordered to be discarded" };
  }
  if (target === undefined) return undefined;
  const current = observed.find((one) => one.incarnation === target.incarnation);
  const newest = observed.at(-1);
  if (newest !== undefined && isBeyondOrders(newest)) {
    return current === undefined || current.phase === "stopped"
      ? waitForOrders(target, newest, context)
      : undefined;
  }
  return runStep(target, current, context);
}

const targetOf = (one: Observed) =>
  ({ name: one.name, incarnation: one.incarnation, driver: one.kind }) as const;

function stopStep(
  one: Observed,
  order: OrderedInstance | undefined,
  target: OrderedInstance | undefined,
  { history }: Context,
): Step | undefined {
  if (one.phase === "stopping") return undefined;
  // A stop of what was given up ends nothing, but clears the record: it may be run again.
  const wasGivenUp = history.get(runtimeName(one.name, one.incarnation))?.givenUp !== undefined;
  const isToBeReset = wasGivenUp && order?.desired === "stop";
  if (!isAlive(one.phase) && !isToBeReset) return undefined;
  return {
    kind: "stop",
    ...targetOf(one),
    record: stopped(one, "ordered"),
    reason: reasonToStop(),
  };

  function reasonToStop(): string {
    if (order !== undefined)
      return `ordered to ${order.desired === "run" ? "stop" : order.desired}`;
    if (target === undefined) return "not in the orders: kept in quarantine (I4)";
    return `older than incarnation ${target.incarnation}, which is ordered`;
  }
}

function waitForOrders(
  { name, incarnation, template }: OrderedInstance,
  newest: Observed,
  { templates }: Context,
): Step | undefined {
  const driver = templates.get(template)?.template.kind;
  if (driver === undefined) return undefined;
  const reason = `waits for newer orders: incarnation ${newest.incarnation} is here`;
  return { kind: "wait", name, incarnation, driver, untilMs: undefined, reason };
}

function runStep(
  order: OrderedInstance,
  current: Observed | undefined,
  context: Context,
): Step | undefined {
  const { name, incarnation } = order;
  const record = context.history.get(runtimeName(name, incarnation));
  if (record?.givenUp !== undefined) return undefined;
  const template = context.templates.get(order.template);
  const fleet = context.fleets.get(order.fleet);
  if (template === undefined || fleet === undefined) return undefined;
  const driver = template.template.kind;
  if (current === undefined) {
    const reason = "ordered, and not there";
    return { kind: "prepare", name, incarnation, driver, ordered: order, template, reason };
  }
  switch (current.phase) {
    case "preparing":
    case "starting":
    case "stopping":
    case "ready":
    case "failed":
      return undefined;
    case "running":
      return current.exit === "failure" ? stopUnhealthy(current, record) : undefined;
    case "stopped": {
      const decision = decideRestart(current, record, fleet.restart, context.now);
      return decision.kind === "done" ? undefined : { ...targetOf(current), ...decision };
    }
  }
}

function stopUnhealthy(current: Observed, record: RestartRecord | undefined): Step {
  const restartedAt = record?.restartedAt ?? [];
  return {
    kind: "stop",
    ...targetOf(current),
    record: { ...stopped(current, "unhealthy"), restartedAt },
    reason: `unhealthy${current.reason === undefined ? "" : `: ${current.reason}`}`,
  };
}

function stopped(one: Observed, why: "ordered" | "unhealthy"): RestartRecord {
  const { name, incarnation } = one;
  return { name, incarnation, restartedAt: [], stopped: why, givenUp: undefined };
}

/**
 * What `orders` mean to an agent whose lease has run out: instances of fleets with
 * `onIsolation: stop` are to be stopped (I2), all others kept.
 */
export function isolated(orders: Orders): Orders {
  const stopping = new Set(
    orders.fleets.filter((fleet) => fleet.onIsolation === "stop").map((fleet) => fleet.name),
  );
  const instances = orders.instances.map((one) =>
    one.desired === "run" && stopping.has(one.fleet) ? { ...one, desired: "stop" as const } : one,
  );
  return { ...orders, instances };
}
