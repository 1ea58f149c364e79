import { describe, expect, test } from "vitest";
import { aContainer, aFleet, anEntry, digest, hostName, someOrders } from "../test/build.ts";
import type { OrderedInstance, Orders } from "./orders.ts";
import { type RebuildInput, rebuild } from "./rebuild.ts";
import type { FleetRecord } from "./snapshot.ts";

const NOTHING = { fleets: [], images: [], hosts: [] };
const { placement, update } = aFleet().spec;
const defaults = { labels: {}, placement, update, onHostLoss: "restart" } as const;

/** Everything lost, these fleets kept, and hosts that answer with these orders. */
const given = (
  fleets: readonly FleetRecord[],
  answers: readonly Orders[],
  over: Partial<RebuildInput> = {},
): RebuildInput => ({
  kept: { ...NOTHING, fleets },
  stored: { ...NOTHING, orders: [] },
  prefer: "kept",
  answers: new Map(answers.map((orders) => [orders.host, orders])),
  silent: new Map(),
  defaults,
  ...over,
});

const silent = (name: string, generation = 9): Pick<RebuildInput, "silent"> => ({
  silent: new Map([[hostName(name), { epoch: 3, generation }]]),
});

const on = (host: string, ...entries: readonly Partial<OrderedInstance>[]): Orders =>
  someOrders(
    host,
    entries.map((one) => anEntry(one)),
    { epoch: 3, generation: 7 },
  );

/** Orders with another template beside the usual one. */
const withOther = (orders: Orders): Orders => ({
  ...orders,
  templates: [
    ...orders.templates,
    { digest: OTHER, template: aContainer({ command: ["new"] }), image: undefined },
  ],
});
const OTHER = digest("b2");

const texts = ({ notes }: { readonly notes: readonly { readonly text: string }[] }) =>
  notes.map((note) => note.text);

describe("orders", () => {
  test("are written as the hosts go by them, to the letter", () => {
    const answers = [on("h1", {}, { index: 1, desired: "stop" }), on("h2", { index: 2 })];
    expect(rebuild(given([aFleet({ replicas: 3 })], answers)).orders).toEqual(answers);
  });

  test("that are stored as they are in force are not written again", () => {
    const orders = [on("h1", {})];
    const stored = { ...NOTHING, orders };
    expect(rebuild(given([aFleet()], orders, { stored })).orders).toEqual([]);
  });

  test("that a host has not applied yet stay", () => {
    const newer = { ...on("h1", {}), generation: 8 };
    const stored = { ...NOTHING, orders: [newer] };
    const made = rebuild(given([aFleet()], [on("h1")], { stored }));
    expect(made.orders).toEqual([]);
    expect(made.summary.hosts).toMatchObject([{ name: "h1", source: "stored", generation: 8 }]);
  });

  test("of an older copy give way to those in force", () => {
    const stored = { ...NOTHING, orders: [{ ...on("h1"), generation: 5 }] };
    expect(rebuild(given([aFleet()], [on("h1", {})], { stored })).orders).toEqual([on("h1", {})]);
  });

  test("of an older copy for a silent host are as good as none: it may go by later ones", () => {
    const stored = { ...NOTHING, orders: [on("h1", {})] };
    const made = rebuild(given([aFleet()], [], { stored, ...silent("h1") }));
    expect(made.orders).toMatchObject([{ host: "h1", epoch: 0, generation: 0, instances: [] }]);
    expect(made.summary.hosts).toMatchObject([{ name: "h1", source: "none", running: 0 }]);
    expect(texts(made).join()).toMatch(/may be on a host that did not answer, and made afresh/);
  });

  test("of a whole control state for a silent host stay", () => {
    const stored = { ...NOTHING, fleets: [aFleet()], orders: [on("h1", {})] };
    const made = rebuild(given([], [], { stored, prefer: "stored", ...silent("h1") }));
    expect([made.orders, made.fleets]).toEqual([[], []]);
  });

  test("of one incarnation on two hosts stay where the epoch is later (I1)", () => {
    const later = { ...on("h2", { incarnation: 4 }), epoch: 5 };
    const made = rebuild(given([aFleet()], [on("h1", { incarnation: 4 }, { index: 1 }), later]));
    expect(made.orders).toEqual([{ ...on("h1", { index: 1 }), generation: 8 }, later]);
    expect(texts(made)).toContain("web-0000.4 is ordered on h2 too: left out on h1");
  });
});

describe("fleets", () => {
  const only = (fleets: readonly FleetRecord[], ...answers: readonly Orders[]) => {
    const made = rebuild(given(fleets, answers));
    return { fleet: made.fleets[0], notes: texts(made), rows: made.summary.fleets };
  };

  test("are what was kept, where the orders agree", () => {
    const made = only([aFleet({ replicas: 2 })], on("h1", {}, { index: 1 }));
    expect(made.fleet).toEqual(aFleet({ replicas: 2 }));
    expect(made.notes).toEqual([]);
    expect(made.rows).toEqual([{ name: "web", source: "kept", replicas: 2, running: 2 }]);
  });

  test("that nobody kept are made from what is ordered, and said", () => {
    const made = only([], on("h1", { index: 4 }), on("h2", { index: 1 }));
    expect(made.fleet).toEqual(aFleet({ replicas: 5, update: defaults.update }));
    expect(made.notes).toEqual([expect.stringMatching(/^fleet web: only its orders are left/)]);
    expect(made.rows).toEqual([{ name: "web", source: "orders", replicas: 5, running: 2 }]);
  });

  test("that nobody declared and of which nothing runs stay undeclared", () => {
    expect(only([], on("h1", { desired: "stop" })).fleet).toBe(undefined);
  });

  test("have replicas enough for all that is not ordered to go", () => {
    const ordered = [
      { index: 3, desired: "stop" },
      { index: 5, desired: "discard" },
    ] as const;
    expect(only([aFleet()], on("h1", {}, ...ordered)).fleet?.spec.replicas).toBe(4);
  });

  test("have the template that most instances are ordered with, and a mixed one is paused", () => {
    const fleet = aFleet({ replicas: 3 });
    const all = [{}, { index: 1, template: OTHER }, { index: 2, template: OTHER }];
    const mixed = only([fleet], withOther(on("h1", ...all)));
    expect(mixed.fleet).toMatchObject({
      template: OTHER,
      spec: { template: { command: ["new"] } },
      rollout: { state: { kind: "paused" }, previous: { digest: fleet.template } },
    });
    expect(mixed.notes.join()).toMatch(/another template than was kept.*its update is paused/);
    const uniform = only([aFleet()], withOther(on("h1", { template: OTHER })));
    expect(uniform.fleet).toMatchObject({ template: OTHER, rollout: { state: { kind: "done" } } });
  });

  test("whose deletion was kept, but which run, are not deleted", () => {
    const made = only([aFleet({}, { state: "deleting" })], on("h1", {}));
    expect(made.fleet?.state).toBe("active");
    expect(made.notes).toEqual([expect.stringMatching(/delete it again/)]);
    expect(only([aFleet({}, { state: "deleting" })]).fleet?.state).toBe("deleting");
  });

  test("have the policies that their agents go by", () => {
    const made = only([aFleet({ onIsolation: "stop" })], on("h1", {}));
    expect(made.fleet?.spec.onIsolation).toBe("keep");
  });

  test("of which nothing is ordered are said to begin afresh", () => {
    expect(only([aFleet()]).notes).toEqual([expect.stringMatching(/started afresh, or delete it/)]);
  });
});

describe("wishes", () => {
  const wishes = (
    fleet: FleetRecord,
    answers: readonly Orders[],
    over: Partial<RebuildInput> = {},
  ) => rebuild(given([fleet], answers, over)).fleets[0]?.wishes;
  const aWish = { index: 0, isStopped: true, minIncarnation: 0 };

  test("to stop or restart what runs since are over", () => {
    expect(wishes(aFleet({}, { wishes: [aWish] }), [on("h1", {})])).toEqual([]);
    const restart = { index: 0, isStopped: false, minIncarnation: 2 };
    expect(wishes(aFleet({}, { wishes: [restart] }), [on("h1", {})])).toEqual([]);
  });

  test("are made for what is ordered to rest, unless it waits to be made afresh", () => {
    const rests = [on("h1", { desired: "stop" })];
    expect(wishes(aFleet(), rests)).toEqual([aWish]);
    const isAfresh = [withOther(on("h1", { desired: "stop", template: OTHER }))];
    expect(wishes(aFleet(), isAfresh)).toEqual([]);
  });

  test("let nothing older go on of what a silent host may run", () => {
    const fleet = aFleet({ replicas: 2 });
    const ordered = [on("h1", { index: 1, incarnation: 3, desired: "discard" })];
    expect(wishes(fleet, ordered, silent("h2"))).toEqual([
      { index: 1, isStopped: false, minIncarnation: 4 },
    ]);
    expect(wishes(fleet, ordered)).toEqual([]);
  });

  test("keep such instances stopped where their fleet waits for lost hosts", () => {
    const fleet = aFleet({ onHostLoss: "wait" });
    const made = rebuild(given([fleet], [], silent("h2")));
    expect(made.fleets[0]?.wishes).toMatchObject([{ index: 0, isStopped: true }]);
    expect(texts(made).join()).toMatch(/h2 did not answer.*may be on a host that did not answer/);
  });
});

test("hosts are recorded where they are not simply active, images where instances use them", () => {
  const [h1, h2] = [hostName("h1"), hostName("h2")];
  const hosts = [
    { name: h1, admin: "active", confirmedLost: undefined },
    { name: h2, admin: "draining", confirmedLost: undefined },
  ] as const;
  const kept = { ...NOTHING, hosts };
  expect(rebuild(given([], [], { kept })).hosts).toEqual([hosts[1]]);
});

test("a control state that is whole goes before what was kept, which adds what it lacks", () => {
  const stored = { ...NOTHING, fleets: [aFleet({ replicas: 4 })], orders: [] };
  const input = { ...given([aFleet(), aFleet({ name: "db" as never })], []), stored };
  const names = (prefer: "kept" | "stored") =>
    rebuild({ ...input, prefer }).fleets.map(({ spec }) => `${spec.name} ${spec.replicas}`);
  expect(names("stored")).toEqual(["db 1"]);
  expect(names("kept")).toEqual(["db 1", "web 1"]);
});

describe("a host that is taken in by a control state that is whole", () => {
  const takeIn = (fleet: FleetRecord, known: readonly Orders[], other: Orders) =>
    rebuild({
      ...given([], [...known, other]),
      stored: { ...NOTHING, fleets: [fleet], orders: known },
      prefer: "stored",
    });

  test("brings its orders, and what operators gave up meanwhile stays given up", () => {
    const known = [on("h1", {}, { index: 1 }, { index: 2 })];
    const other = on("h2", { index: 3, desired: "discard" });
    for (const fleet of [aFleet({ replicas: 1 }), aFleet({}, { state: "deleting" })]) {
      const made = takeIn(fleet, known, other);
      expect([made.fleets, made.orders]).toEqual([[], [other]]);
    }
  });

  test("waits with what may not run twice where another incarnation is ordered (I2)", () => {
    const strict = (orders: Orders): Orders => ({
      ...orders,
      fleets: orders.fleets.map((fleet) => ({ ...fleet, onIsolation: "stop" })),
    });
    const known = [on("h1", {}, { index: 1 })];
    const other = on("h2", { incarnation: 2 }, { index: 2 });
    const [first, second] = other.instances;
    const made = takeIn(aFleet({ replicas: 3 }), known, strict(other));
    expect(made.orders).toEqual([
      {
        ...strict(other),
        generation: other.generation + 1,
        instances: [{ ...first, desired: "stop" }, second],
      },
    ]);
    expect(made.fleets).toEqual([]);
    expect(takeIn(aFleet({ replicas: 3 }), known, other).orders).toEqual([other]);
  });

  test("keeps what it runs: room, no wish to stop it, no update", () => {
    const fleet = aFleet({}, { wishes: [{ index: 0, isStopped: true, minIncarnation: 0 }] });
    const made = takeIn(fleet, [on("h1")], withOther(on("h2", {}, { index: 2, template: OTHER })));
    expect(made.fleets).toMatchObject([
      {
        spec: { replicas: 3, template: fleet.spec.template },
        wishes: [],
        rollout: { state: { kind: "paused" } },
      },
    ]);
  });
});
