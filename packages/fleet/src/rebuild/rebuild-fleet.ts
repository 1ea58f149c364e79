/** One fleet's record, as it was kept and as its instances are ordered. */
import type { FleetName, HostName } from "../ids.ts";
import type { OrderedFleet, OrderedInstance, OrderedTemplate, Orders } from "../orders.ts";
import type { Note } from "../plan.ts";
import { NO_ROLLOUT, presentTemplate, SURGE_INDEX, withRolloutState } from "../rollout.ts";
import { isSame } from "../same.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { FleetSpec } from "../spec.ts";
import { rebuildWishes } from "./rebuild-wishes.ts";

/** One line of the orders that a host goes by. */
export type Ordered = { readonly document: Orders; readonly one: OrderedInstance };

export type FleetContext = {
  readonly defaults: Pick<FleetSpec, "labels" | "placement" | "update" | "onHostLoss">;
  readonly documents: readonly Orders[];
  /** Some host may run what nobody here knows. */
  readonly isAnyMissing: boolean;
  /** Where the record is no older than the orders: the hosts for whose sake it may be changed. */
  readonly takenIn: ReadonlySet<HostName> | undefined;
};

export type FleetRebuilt = {
  /** Undefined where nothing of it is ordered to run, and nobody declared it. */
  readonly record: FleetRecord | undefined;
  readonly notes: readonly Note[];
};

export function rebuildFleet(
  name: FleetName,
  kept: FleetRecord | undefined,
  entries: readonly Ordered[],
  context: FleetContext,
): FleetRebuilt {
  const notes: Note[] = [];
  const say = (text: string): void => {
    notes.push({ severity: "warning", text: `fleet ${name}: ${text}` });
  };
  const running = entries.filter(({ one }) => one.desired === "run");
  const begun = kept ?? fromOrders(name, running, context);
  if (begun === undefined) {
    if (entries.length > 0) say("nobody declared it and nothing of it runs: left as it is");
    return { record: undefined, notes };
  }
  if (kept === undefined) {
    say("only its orders are left: placement and update policy are the defaults; apply its file");
  } else if (running.length === 0 && kept.state === "active" && kept.spec.replicas > 0) {
    say("no host is ordered to run any of it: it is started afresh, or delete it");
  }
  const { takenIn, isAnyMissing } = context;
  const isNew = ({ document }: Ordered): boolean => takenIn?.has(document.host) ?? true;
  let record = begun;
  if (takenIn === undefined) {
    record = alive(record, running, say);
    record = withOrderedTemplate(record, running, context, say);
    record = withOrderedPolicies(record, running, say);
  } else if (record.state === "deleting" || !entries.some(isNew)) {
    return { record, notes };
  } else {
    record = pausedFor(record, running.filter(isNew), say);
  }
  record = withRoom(record, entries.filter(isNew), say);
  const wishes = rebuildWishes(record, entries, { isNew, isAnyMissing }, say);
  return { record: { ...record, wishes }, notes };
}

type Say = (text: string) => void;

/** The record of a fleet that is known by its instances alone. */
function fromOrders(
  name: FleetName,
  running: readonly Ordered[],
  { defaults, documents }: FleetContext,
): FleetRecord | undefined {
  const digest = commonest(running.map(({ one }) => one.template));
  const ordered = documents.flatMap(({ templates }) => templates);
  const template = ordered.find((one) => one.digest === digest);
  const policies = newestPolicies(name, running);
  if (template === undefined || policies === undefined) return undefined;
  return {
    spec: { ...defaults, ...policies, replicas: 0, template: template.template },
    image: template.image,
    template: template.digest,
    state: "active",
    wishes: [],
    rollout: NO_ROLLOUT,
  };
}

/** What runs was declared again after its deletion, or not yet ordered to go. */
function alive(record: FleetRecord, running: readonly Ordered[], say: Say): FleetRecord {
  if (record.state === "active" || running.length === 0) return record;
  say("it was being deleted, but runs: kept; delete it again");
  return { ...record, state: "active" };
}

/** The template that most instances are ordered with; an update that is under way is paused. */
function withOrderedTemplate(
  record: FleetRecord,
  running: readonly Ordered[],
  { documents }: FleetContext,
  say: Say,
): FleetRecord {
  const digests = running.map(({ one }) => one.template);
  const digest = commonest(digests, record.template);
  const templates = new Map<string, OrderedTemplate>(
    documents.flatMap((document) => document.templates).map((one) => [one.digest, one]),
  );
  const winner = digest === record.template ? presentTemplate(record) : templates.get(digest ?? "");
  if (winner === undefined) return record;
  const others = digests.filter((one) => one !== winner.digest);
  const isOther = winner.digest !== record.template;
  if (!isOther && others.length === 0) return record;
  if (isOther)
    say("its instances are ordered with another template than was kept: that one counts");
  const other = commonest(others);
  const { state } = record.rollout;
  const isHeld = state.kind === "paused" || state.kind === "halted";
  const reason = "it was under way when the control state was rebuilt";
  if (others.length > 0) {
    say(`${others.length} of its instances are of another template: its update is paused`);
  }
  return {
    ...record,
    spec: { ...record.spec, template: winner.template },
    image: winner.image,
    template: winner.digest,
    rollout: {
      ...record.rollout,
      state: others.length === 0 ? { kind: "done" } : isHeld ? state : { kind: "paused", reason },
      previous: templates.get(other ?? "") ?? (isOther ? presentTemplate(record) : undefined),
    },
  };
}

/** Nothing of another template is replaced before an operator has looked at it. */
function pausedFor(record: FleetRecord, running: readonly Ordered[], say: Say): FleetRecord {
  const others = running.filter(({ one }) => one.template !== record.template);
  const { kind } = record.rollout.state;
  if (others.length === 0 || kind === "paused" || kind === "halted") return record;
  say(`${others.length} of its instances are of another template: its update is paused`);
  const reason = "instances of another template were taken in";
  return withRolloutState(record, { kind: "paused", reason });
}

/** Policies that agents carry out: what they go by is newer than what was kept, or the same. */
function withOrderedPolicies(
  record: FleetRecord,
  running: readonly Ordered[],
  say: Say,
): FleetRecord {
  const policies = newestPolicies(record.spec.name, running);
  const spec = { ...record.spec, ...policies };
  if (isSame(spec, record.spec)) return record;
  say("its restart or isolation policy is another than was kept: that of its orders counts");
  return { ...record, spec };
}

/** Replicas enough for everything that is not ordered to go. */
function withRoom(record: FleetRecord, entries: readonly Ordered[], say: Say): FleetRecord {
  const { replicas } = record.spec;
  let needed = replicas;
  for (const { one } of entries) {
    if (one.desired === "discard" || one.index >= SURGE_INDEX) continue;
    needed = Math.max(needed, one.index + 1);
  }
  if (needed === replicas) return record;
  if (replicas > 0)
    say(`${replicas} replicas were kept, and instances up to ${needed} are ordered`);
  return { ...record, spec: { ...record.spec, replicas: needed } };
}

function newestPolicies(fleet: FleetName, running: readonly Ordered[]): OrderedFleet | undefined {
  const [newest] = running
    .map(({ document }) => document)
    .sort((a, b) => b.epoch - a.epoch || b.generation - a.generation);
  return newest?.fleets.find((one) => one.name === fleet);
}

/** The item that comes most often, of equals `preferred` or the least. */
function commonest<Item extends string>(
  items: readonly Item[],
  preferred?: Item,
): Item | undefined {
  const counts = new Map<Item, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  const [first] = [...counts].sort(
    ([a, m], [b, n]) =>
      n - m || Number(b === preferred) - Number(a === preferred) || (a < b ? -1 : 1),
  );
  return first?.[0] ?? preferred;
}
