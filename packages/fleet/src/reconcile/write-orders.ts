import { addressee } from "../addressee.ts";
import type { OrderedFleet, OrderedInstance, OrderedTemplate, Orders } from "../orders.ts";
import { isSame } from "../same.ts";
import { type HostWork, templateOf, type Work } from "./work.ts";

/**
 * The documents that change, under this epoch and the next generation (I5); those that do not are
 * left as they are, whoever wrote them. Documents that end something come before those that only
 * begin something: where a commit takes the first so many, the rest follows in the next pass.
 */
export function writeOrders(work: Work): readonly Orders[] {
  const ending: Orders[] = [];
  const beginning: Orders[] = [];
  for (const host of work.hosts) {
    const isChanged = host.entries.some((entry) => entry.desired !== entry.was);
    const isDue = arePoliciesChanged(work, host) || isUnordered(host) || isForAnother(host);
    if (!isChanged && !isDue) continue;
    const doesEnd = host.entries.some((one) => one.desired !== one.was && one.desired !== "run");
    (doesEnd ? ending : beginning).push(document(work, host));
  }
  return [...ending, ...beginning];
}

const arePoliciesChanged = (work: Work, { view }: HostWork): boolean =>
  view.orders?.fleets.some((known) => !isSame(known, policiesOf(work, known))) === true;

/**
 * The host was never ordered anything that either side knows of, and runs something, or shares its
 * name with another machine, which is to know that it is not the host.
 */
const isUnordered = ({ view, isEstranged }: HostWork): boolean => {
  if (view.orders !== undefined || isEstranged) return false;
  return (view.report?.instances.length ?? 0) > 0 || view.rival !== undefined;
};

/** The machine that they were for is lost, and another bears its name. */
const isForAnother = ({ view, isEstranged }: HostWork): boolean =>
  view.orders?.agent !== undefined && view.orders.agent !== addressee(view) && !isEstranged;

/** The fleet's policies as declared now; as last ordered, where it is not declared any more. */
function policiesOf(work: Work, known: OrderedFleet): OrderedFleet {
  const spec = work.fleets.get(known.name)?.record?.spec;
  if (spec === undefined) return known;
  return { name: spec.name, restart: spec.restart, onIsolation: spec.onIsolation };
}

function document(work: Work, host: HostWork): Orders {
  const { view, entries } = host;
  const knownFleets = new Map(view.orders?.fleets.map((fleet) => [fleet.name, fleet]));
  const instances: OrderedInstance[] = [];
  const templates = new Map<string, OrderedTemplate>();
  const fleets = new Map<string, OrderedFleet>();
  for (const entry of entries) {
    const { ordered, desired, member } = entry;
    if (desired === "forgotten") continue;
    instances.push(ordered.desired === desired ? ordered : { ...ordered, desired });
    if (!templates.has(ordered.template)) {
      const template = templateOf(entry);
      if (template !== undefined) templates.set(ordered.template, template);
    }
    const { name, record } = member.fleet;
    if (!fleets.has(name)) {
      const known = record?.spec ?? knownFleets.get(name);
      if (known !== undefined) fleets.set(name, policiesOf(work, known));
    }
  }
  return {
    host: view.name,
    agent: addressee(view),
    epoch: work.snapshot.epoch,
    generation: 1 + (view.orders?.generation ?? 0),
    templates: [...templates.values()].sort((a, b) => compare(a.digest, b.digest)),
    fleets: [...fleets.values()].sort((a, b) => compare(a.name, b.name)),
    instances: instances.sort((a, b) => compare(a.name, b.name) || a.incarnation - b.incarnation),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
