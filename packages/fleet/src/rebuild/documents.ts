/** Which orders each host is to have after a rebuild. */
import { type HostName, runtimeName } from "../ids.ts";
import type { OrderedInstance, Orders } from "../orders.ts";
import type { Note } from "../plan.ts";
import type { RebuildInput, RebuiltHost } from "../rebuild.ts";

/** `none`: it goes by orders that nobody knows; `new`: it was never ordered anything. */
export type HostSource = "answer" | "stored" | "none" | "new";

export type Documents = {
  readonly orders: ReadonlyMap<HostName, Orders>;
  /** Sorted by name. */
  readonly hosts: readonly RebuiltHost[];
  /** Hosts that may run what nobody here knows. */
  readonly missing: readonly HostName[];
  readonly notes: readonly Note[];
};

export function documentsOf({ stored, prefer, answers, silent }: RebuildInput): Documents {
  const known = new Map(stored.orders.map((orders) => [orders.host, orders]));
  const sources = new Map<HostName, HostSource>();
  const orders = new Map<HostName, Orders>();
  for (const host of [...new Set([...known.keys(), ...answers.keys(), ...silent.keys()])].sort()) {
    const before = known.get(host);
    const answer = answers.get(host);
    const isAnswered = answers.has(host);
    if (answer !== undefined && !isOlder(answer, before)) {
      sources.set(host, "answer");
      orders.set(host, answer);
    } else if (before !== undefined && (isAnswered || prefer === "stored")) {
      sources.set(host, "stored");
      orders.set(host, before);
    } else {
      sources.set(host, isAnswered ? "new" : "none");
      // What is stored may be older than what it goes by: as good as nothing.
      if (before !== undefined) orders.set(host, noOrders(host));
    }
  }
  const notes = leaveOutDoubles(orders);
  const missing = [...sources].flatMap(([host, source]) => (source === "none" ? [host] : []));
  const hosts = [...sources].map(([name, source]): RebuiltHost => {
    const document = orders.get(name);
    const running = document?.instances.filter(isToRun).length ?? 0;
    const { epoch = 0, generation = 0 } = document ?? {};
    return { name, source, epoch, generation, running };
  });
  return { orders, hosts, missing, notes: [...notes, ...missing.map(leftOut)] };
}

const isToRun = ({ desired }: OrderedInstance): boolean => desired === "run";

/** The host has not applied yet what is stored for it. */
const isOlder = (answer: Orders, stored: Orders | undefined): boolean =>
  stored !== undefined && stored.generation > answer.generation && stored.epoch >= answer.epoch;

const noOrders = (host: HostName): Orders => ({
  ...{ host, agent: undefined, epoch: 0, generation: 0 },
  ...{ templates: [], fleets: [], instances: [] },
});

/**
 * Where incarnations were counted anew, two hosts may be ordered the same one. The later epoch
 * keeps it, the other no longer names it, and so stops it and keeps its disk (I1, I4).
 */
function leaveOutDoubles(orders: Map<HostName, Orders>): readonly Note[] {
  const byAge = [...orders.values()].sort(
    (a, b) => b.epoch - a.epoch || b.generation - a.generation || (a.host < b.host ? -1 : 1),
  );
  const keeper = new Map<string, HostName>();
  for (const isFirstChoice of [true, false]) {
    for (const { host, instances } of byAge) {
      for (const one of instances) {
        if (isToRun(one) === isFirstChoice && !keeper.has(keyOf(one))) keeper.set(keyOf(one), host);
      }
    }
  }
  const running = new Set(byAge.flatMap(({ instances }) => instances.filter(isToRun).map(keyOf)));
  const notes: Note[] = [];
  for (const document of byAge) {
    const { host, generation } = document;
    const isDouble = (one: OrderedInstance): boolean =>
      running.has(keyOf(one)) && keeper.get(keyOf(one)) !== host;
    const doubles = document.instances.filter(isDouble);
    if (doubles.length === 0) continue;
    const instances = document.instances.filter((one) => !isDouble(one));
    orders.set(host, { ...document, generation: generation + 1, instances });
    for (const one of doubles) {
      const text = `${keyOf(one)} is ordered on ${keeper.get(keyOf(one))} too: left out on ${host}`;
      notes.push({ severity: "warning", text });
    }
  }
  return notes;
}

/**
 * The orders of a host that is taken in. What says `onIsolation: stop` stands there, for want of a
 * lease; where another incarnation of it is ordered elsewhere, that may hold one. So it is to wait
 * until that is reported to have ended, as the planner has it (I2).
 */
export function withoutSeconds(document: Orders, stored: readonly Orders[]): Orders {
  const { host, generation, fleets } = document;
  const strict = new Set(
    fleets.flatMap(({ name, onIsolation }) => (onIsolation === "stop" ? name : [])),
  );
  const elsewhere = new Set(
    stored.flatMap((other) => (other.host === host ? [] : other.instances.map(({ name }) => name))),
  );
  const isSecond = (one: OrderedInstance): boolean =>
    isToRun(one) && strict.has(one.fleet) && elsewhere.has(one.name);
  if (!document.instances.some(isSecond)) return document;
  const instances = document.instances.map(
    (one): OrderedInstance => (isSecond(one) ? { ...one, desired: "stop" } : one),
  );
  return { ...document, generation: generation + 1, instances };
}

const keyOf = ({ name, incarnation }: OrderedInstance): string => runtimeName(name, incarnation);

function leftOut(host: HostName): Note {
  const text =
    `${host} did not answer, and what it goes by is not known: nothing is ordered there, and ` +
    "should it come back it is left as it is until another restore takes it in";
  return { severity: "warning", text };
}
