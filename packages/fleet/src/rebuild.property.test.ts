import fc from "fast-check";
import { expect, test } from "vitest";
import {
  aContainer,
  aFleet,
  agentOf,
  aHost,
  anEntry,
  anObserved,
  aSnapshot,
  digest,
  fleetName,
  hostName,
} from "../test/build.ts";
import { check } from "./check.ts";
import type { HostName } from "./ids.ts";
import { nextEpochBase } from "./life.ts";
import type { OrderedInstance, OrderedTemplate, Orders } from "./orders.ts";
import type { Action, Plan } from "./plan.ts";
import { type RebuildInput, rebuild } from "./rebuild.ts";
import { reconcile } from "./reconcile.ts";
import type { FleetRecord, HostView, Snapshot } from "./snapshot.ts";

const HOSTS = ["h1", "h2", "h3", "h4"].map(hostName);
const FLEETS = ["web", "db"];
const MAX_INSTANCES = 4;

const TEMPLATES: readonly OrderedTemplate[] = ["a1", "b2"].map((text) => ({
  digest: digest(text),
  template: aContainer({ command: [text] }),
  image: undefined,
}));

/** One instance's history: on which host each incarnation is, and what is desired of the newest. */
type History = {
  readonly hosts: readonly HostName[];
  readonly desired: OrderedInstance["desired"];
  readonly template: OrderedTemplate["digest"];
};

const history: fc.Arbitrary<History> = fc.record({
  hosts: fc.uniqueArray(fc.constantFrom(...HOSTS), { maxLength: 3 }),
  desired: fc.constantFrom("run", "run", "run", "stop", "discard"),
  template: fc.constantFrom(digest("a1"), digest("b2")),
});

const kept = (name: string): fc.Arbitrary<FleetRecord> =>
  fc
    .record({
      replicas: fc.nat({ max: MAX_INSTANCES + 1 }),
      template: fc.constantFrom(...TEMPLATES),
      state: fc.constantFrom("active", "active", "deleting"),
      onHostLoss: fc.constantFrom("restart", "wait"),
      onIsolation: fc.constantFrom("keep", "stop"),
      wishes: fc.uniqueArray(
        fc.record({
          index: fc.nat({ max: MAX_INSTANCES }),
          isStopped: fc.boolean(),
          minIncarnation: fc.nat({ max: 4 }),
        }),
        { selector: (wish) => wish.index },
      ),
    })
    .map(({ template, state, wishes, ...spec }) =>
      aFleet(
        { name: fleetName(name), template: template.template, ...spec },
        { template: template.digest, state, wishes },
      ),
    );

const world = fc.record({
  histories: fc.tuple(...FLEETS.map(() => fc.array(history, { maxLength: MAX_INSTANCES }))),
  fleets: fc.tuple(...FLEETS.map((name) => fc.option(kept(name), { nil: undefined }))),
  silent: fc.subarray(HOSTS, { maxLength: 2 }),
});

/** The orders of every host, as one lineage of coordinators would have written them. */
function ordersOf(histories: readonly (readonly History[])[]): readonly Orders[] {
  const entries = histories.flatMap((members, at) =>
    members.flatMap(({ hosts, desired, template }, index) =>
      hosts.map((host, older) => {
        const isNewest = older === hosts.length - 1;
        const fleet = fleetName(FLEETS[at] ?? "");
        const state = isNewest ? desired : "stop";
        const incarnation = older + 1;
        return { host, one: anEntry({ fleet, index, incarnation, template, desired: state }) };
      }),
    ),
  );
  return HOSTS.map((host, at) => ({
    host,
    agent: agentOf(host),
    epoch: 5 + at,
    generation: 3 + at,
    templates: TEMPLATES,
    fleets: FLEETS.map((name) => {
      const { restart } = aFleet().spec;
      return { name: fleetName(name), restart, onIsolation: "keep" };
    }),
    instances: entries.filter((entry) => entry.host === host).map(({ one }) => one),
  }));
}

const asOrdered = (orders: Orders): HostView =>
  aHost(
    orders.host,
    {
      epoch: orders.epoch,
      capacity: { vcpuMillis: 1e6, memoryMib: 1e6, diskMib: 1e6 },
      instances: orders.instances
        .filter((one) => one.desired !== "discard")
        .map(({ desired, ...one }) =>
          anObserved({ ...one, phase: desired === "run" ? "ready" : "stopped" }),
        ),
    },
    { orders },
  );

/** What a leader would plan on the rebuilt state, `check` agreeing. */
function planOn(fleets: readonly FleetRecord[], hosts: readonly HostView[]): Plan {
  const epochBase = nextEpochBase(0);
  if (epochBase === undefined) throw new Error("no room for a second life");
  const snapshot: Snapshot = aSnapshot(
    fleets.toSorted((a, b) => (a.spec.name < b.spec.name ? -1 : 1)),
    hosts,
    { epoch: epochBase + 1, epochBase },
  );
  const plan = reconcile(snapshot);
  expect(check(snapshot, plan)).toEqual([]);
  return plan;
}

/** What a plan does to these instances; those of an update that is under way wait, it is paused. */
function touchedBy(
  plan: Plan,
  fleets: readonly FleetRecord[],
  running: readonly OrderedInstance[],
): readonly Action[] {
  return plan.actions.filter(({ kind, instance, incarnation }) => {
    if (kind === "resume") return false;
    const one = running.find((it) => it.name === instance && it.incarnation === incarnation);
    const record = fleets.find(({ spec }) => spec.name === one?.fleet);
    // A deletion that a whole control state knows of is newer than what is taken in.
    if (one === undefined || record?.state === "deleting") return false;
    return one.template === record?.template || !isHeld(record);
  });
}

const isHeld = (record: FleetRecord | undefined): boolean =>
  record?.rollout.state.kind === "paused" || record?.rollout.state.kind === "halted";

const defaults = (({ labels, placement, update, onHostLoss }) => ({
  ...{ labels, placement, update, onHostLoss },
}))(aFleet().spec);

test("nothing that runs is stopped, moved or discarded, and nothing begins that may run", () => {
  fc.assert(
    fc.property(world, ({ histories, fleets, silent }) => {
      const all = ordersOf(histories);
      const heard = all.filter(({ host }) => !silent.includes(host));
      const input: RebuildInput = {
        kept: { fleets: fleets.flatMap((one) => one ?? []), images: [], hosts: [] },
        stored: { fleets: [], images: [], hosts: [], orders: [] },
        prefer: "kept",
        answers: new Map(heard.map((orders) => [orders.host, orders])),
        silent: new Map(silent.map((host) => [host, { epoch: 9, generation: 9 }])),
        defaults,
      };
      const made = rebuild(input);
      expect(made.orders).toEqual(heard);
      const plan = planOn(made.fleets, made.orders.map(asOrdered));

      const running = heard.flatMap(({ instances }) =>
        instances.filter((one) => one.desired === "run"),
      );
      expect(touchedBy(plan, made.fleets, running)).toEqual([]);
      const unheard = all.filter(({ host }) => silent.includes(host));
      for (const { instance, incarnation, kind } of plan.actions) {
        if (kind === "discard" || kind === "forget" || kind === "stop") continue;
        for (const one of unheard.flatMap(({ instances }) => instances)) {
          if (one.name === instance) expect(incarnation).toBeGreaterThan(one.incarnation);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

test("a host that answers later is taken in, and the newest of each instance goes on", () => {
  fc.assert(
    fc.property(world, ({ histories, fleets, silent }) => {
      const all = ordersOf(histories);
      const heard = all.filter(({ host }) => !silent.includes(host));
      const first = rebuild({
        kept: { fleets: fleets.flatMap((one) => one ?? []), images: [], hosts: [] },
        stored: { fleets: [], images: [], hosts: [], orders: [] },
        prefer: "kept",
        answers: new Map(heard.map((orders) => [orders.host, orders])),
        silent: new Map(silent.map((host) => [host, { epoch: 9, generation: 9 }])),
        defaults,
      });
      const plan = planOn(first.fleets, first.orders.map(asOrdered));
      const planned = new Map(plan.orders.map((orders) => [orders.host, orders]));
      const stored = first.orders.map((orders) => planned.get(orders.host) ?? orders);
      const second = rebuild({
        kept: { fleets: [], images: [], hosts: [] },
        stored: { fleets: first.fleets, images: [], hosts: [], orders: stored },
        prefer: "stored",
        answers: new Map(
          all.map((orders) => [
            orders.host,
            stored.find(({ host }) => host === orders.host) ?? orders,
          ]),
        ),
        silent: new Map(),
        defaults,
      });
      const written = new Map(second.orders.map((orders) => [orders.host, orders]));
      for (const host of silent) {
        expect(written.get(host)).toEqual(all.find((orders) => orders.host === host));
      }
      const merged = new Map(
        [...first.fleets, ...second.fleets].map((fleet) => [fleet.spec.name, fleet]),
      );
      const documents = all.map(
        ({ host }) => written.get(host) ?? stored.find((orders) => orders.host === host),
      );
      const hosts = documents.flatMap((orders) => (orders === undefined ? [] : asOrdered(orders)));
      const next = planOn([...merged.values()], hosts);
      const running = documents.flatMap((orders) =>
        (orders?.instances ?? []).filter((one) => one.desired === "run"),
      );
      const newest = running.filter(
        (one) =>
          !running.some((other) => other.name === one.name && other.incarnation > one.incarnation),
      );
      expect(touchedBy(next, [...merged.values()], newest)).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
