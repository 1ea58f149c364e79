import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aFleet,
  aHost,
  anEntry,
  anObserved,
  aSnapshot,
  digest,
  someOrders,
} from "../test/build.ts";
import { blastRadius, describeBlastRadius, needsConfirmation } from "./blast-radius.ts";
import type { FleetRecord, HostView, Snapshot } from "./snapshot.ts";

/** `hosts` hosts with `each` running instances of a fleet on each of them. */
function cluster(hosts: number, each: number) {
  const fleet = aFleet({ replicas: hosts * each });
  const views = Array.from({ length: hosts }, (_, at): HostView => {
    const indexes = Array.from({ length: each }, (_, offset) => at * each + offset);
    const orders = someOrders(
      `h${at}`,
      indexes.map((index) => anEntry({ index })),
    );
    return aHost(
      `h${at}`,
      { instances: indexes.map((index) => anObserved({ index })) },
      { orders },
    );
  });
  return { fleet, before: aSnapshot([fleet], views) };
}

const withFleet = (snapshot: Snapshot, fleet: FleetRecord): Snapshot => ({
  ...snapshot,
  fleets: [fleet],
});

const draining = (snapshot: Snapshot, ...names: readonly string[]): Snapshot => ({
  ...snapshot,
  hosts: snapshot.hosts.map((host) =>
    names.includes(host.name) ? { ...host, admin: "draining" } : host,
  ),
});

const scaled = ({ spec, ...fleet }: FleetRecord, replicas: number): FleetRecord => ({
  ...fleet,
  spec: { ...spec, replicas },
});

describe("counts", () => {
  const { fleet, before } = cluster(5, 4);

  test("what a changed template replaces", () => {
    const radius = blastRadius(before, withFleet(before, { ...fleet, template: digest("b2") }));
    expect(describeBlastRadius(radius)).toBe("replace 20 of 20 instances on 5 of 5 hosts");
  });

  test("what a deletion, or fewer replicas, discard", () => {
    const deleted = blastRadius(before, withFleet(before, { ...fleet, state: "deleting" }));
    expect(describeBlastRadius(deleted)).toBe("discard 20 of 20 instances on 5 of 5 hosts");
    const fewer = blastRadius(before, withFleet(before, scaled(fleet, 13)));
    expect(describeBlastRadius(fewer)).toBe("discard 7 of 20 instances on 2 of 5 hosts");
  });

  test("what a drain moves", () => {
    const radius = blastRadius(before, draining(before, "h0", "h3"));
    expect(describeBlastRadius(radius)).toBe("move 8 of 20 instances on 2 of 5 hosts");
  });

  test("what operators stop and restart", () => {
    const wishes = [
      { index: 3, isStopped: true, minIncarnation: 0 },
      { index: 9, isStopped: false, minIncarnation: 2 },
    ];
    const radius = blastRadius(before, withFleet(before, { ...fleet, wishes }));
    expect(describeBlastRadius(radius)).toBe(
      "restart 1 and stop 1 of 20 instances on 2 of 5 hosts",
    );
  });

  test("a loss that is confirmed, and no host that its fleet waits for", () => {
    const lost = (snapshot: Snapshot): Snapshot => ({
      ...snapshot,
      hosts: snapshot.hosts.map((host) =>
        host.name === "h1" ? { ...host, liveness: "lost" } : host,
      ),
    });
    expect(blastRadius(before, lost(before)).instances).toBe(4);
    const waiting = withFleet(before, { ...fleet, spec: { ...fleet.spec, onHostLoss: "wait" } });
    expect(blastRadius(waiting, lost(waiting)).instances).toBe(0);
  });

  test("what hosts run that have not been heard of yet", () => {
    const unheard: Snapshot = {
      ...before,
      hosts: before.hosts.map((host) => ({ ...host, liveness: "unknown" })),
    };
    const changed = withFleet(unheard, { ...fleet, template: digest("b2") });
    expect(blastRadius(unheard, changed).instances).toBe(20);
    expect(blastRadius(unheard, draining(unheard, "h0")).instances).toBe(4);
  });

  test("nothing of what is only created", () => {
    expect(blastRadius(before, withFleet(before, scaled(fleet, 90))).instances).toBe(0);
  });

  test("nothing twice of what is on its way already, unless it would be something worse", () => {
    const going = draining(before, "h0");
    expect(blastRadius(going, draining(before, "h0", "h1")).instances).toBe(4);
    const deleted = withFleet(going, { ...fleet, state: "deleting" });
    expect(blastRadius(going, deleted).instances).toBe(20);
  });

  test("the disk of an instance that rests as something to lose", () => {
    const wishes = [{ index: 0, isStopped: true, minIncarnation: 0 }];
    const orders = someOrders("h0", [anEntry({ desired: "stop" })]);
    const h0 = aHost("h0", { instances: [anObserved({ phase: "stopped" })] }, { orders });
    const resting = aSnapshot([aFleet({}, { wishes })], [h0]);
    expect(blastRadius(resting, draining(resting, "h0")).instances).toBe(0);
    const deleted = withFleet(resting, aFleet({}, { wishes, state: "deleting" }));
    expect(blastRadius(resting, deleted).instances).toBe(1);
  });
});

describe("asks for a confirmation", () => {
  const limits = { maxShare: 0.25, minInstances: 10 };
  const radius = (instances: number, hosts: number) => ({
    ...{ instances, ofInstances: 100, hosts, ofHosts: 20 },
    kinds: new Map(),
  });

  test("above the share of instances, or of hosts", () => {
    expect(needsConfirmation(radius(25, 5), limits)).toBe(false);
    expect(needsConfirmation(radius(26, 5), limits)).toBe(true);
    expect(needsConfirmation(radius(25, 6), limits)).toBe(true);
  });

  test("never for a few, however few there are", () => {
    expect(needsConfirmation({ ...radius(9, 9), ofInstances: 9, ofHosts: 9 }, limits)).toBe(false);
  });
});

test("what is done at once counts as much as its parts one after the other", () => {
  const { fleet, before } = cluster(6, 3);
  const states = fc.record({
    replicas: fc.nat(25),
    drained: fc.subarray(["h0", "h1", "h2", "h3", "h4", "h5"]),
    more: fc.subarray(["h0", "h1", "h2", "h3", "h4", "h5"]),
  });
  fc.assert(
    fc.property(states, ({ replicas, drained, more }) => {
      const first = draining(before, ...drained);
      const both = draining(first, ...more);
      const last = withFleet(both, scaled(fleet, replicas));
      expect(blastRadius(before, before).instances).toBe(0);
      const parts = blastRadius(before, first).instances + blastRadius(first, both).instances;
      expect(blastRadius(before, both).instances).toBe(parts);
      const discarded = blastRadius(both, last).instances;
      expect(discarded).toBe(Math.max(0, 18 - replicas));
    }),
  );
});
