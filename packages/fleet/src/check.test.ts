/** The checker has to object to broken plans: here is one for each way to break an invariant. */
import { expect, test } from "vitest";
import {
  aContainer,
  aFleet,
  agentOf,
  aHost,
  anEntry,
  anObserved,
  anUpdatePolicy,
  aSnapshot,
  digest,
  fleetName,
  hostName,
  someOrders,
} from "../test/build.ts";
import { check } from "./check.ts";
import type { OrderedInstance, Orders } from "./orders.ts";
import type { ObservedPhase } from "./phase.ts";
import type { Plan } from "./plan.ts";
import { reconcile } from "./reconcile.ts";
import type { Observed } from "./report.ts";
import { type Rollout, rolledBack, SURGE_INDEX, updated, withRolloutState } from "./rollout.ts";
import type { FleetRecord, HostView, Snapshot } from "./snapshot.ts";
import type { UpdatePolicy } from "./spec.ts";

const EMPTY: Plan = {
  orders: [],
  actions: [],
  waiting: [],
  notes: [],
  fleets: [],
  forgottenFleets: [],
  watched: new Set(),
};

const next = (host: string, entries: readonly OrderedInstance[], over: Partial<Orders> = {}) =>
  someOrders(host, entries, { generation: 2, ...over });

const planOf = (...orders: readonly Orders[]): Plan => ({ ...EMPTY, orders });

/** `h1` runs web-0000.1 and is all well; `h2` is empty. */
const snapshotOf = (
  fleets: readonly FleetRecord[] = [aFleet()],
  hosts: readonly HostView[] = [
    aHost("h1", { instances: [anObserved()] }, { orders: someOrders("h1", [anEntry()]) }),
    aHost("h2"),
  ],
): Snapshot => aSnapshot(fleets, hosts);

const resting = (over: Partial<HostView> = {}): readonly HostView[] => [
  aHost(
    "h1",
    { instances: [anObserved({ phase: "stopped" })] },
    { orders: someOrders("h1", [anEntry({ desired: "stop" })]), ...over },
  ),
];

/** `h1` is to stop web-0000.1, and has not; `h2` is empty. */
const ending = (phase: ObservedPhase = "ready"): readonly HostView[] => [
  aHost(
    "h1",
    { instances: [anObserved({ phase })] },
    { orders: someOrders("h1", [anEntry({ desired: "stop" })]) },
  ),
  aHost("h2"),
];

const lost = (hosts: readonly HostView[]): readonly HostView[] =>
  hosts.map((host) => ({ ...host, liveness: "lost" }));

/** `h1` runs web-0000.1, and another machine bears its name. */
const twins = (over: Partial<HostView>): readonly HostView[] => [
  aHost(
    "h1",
    { instances: [anObserved()] },
    { orders: someOrders("h1", [anEntry()]), rival: agentOf("twin"), ...over },
  ),
];

const small = { vcpuMillis: 400, memoryMib: 100, diskMib: 5 };
const thirsty = aFleet({
  template: aContainer({ resources: { vcpuMillis: 500, memoryMib: 256, diskMib: 10 } }),
});

const OTHER = {
  digest: digest("a2"),
  template: aContainer({ command: ["new"] }),
  image: undefined,
};

/** `web` has got another template, of which `h1` runs web-0000.2; web-0001.1 is as before. */
const updating = (rollout: Partial<Rollout> = {}, update: Partial<UpdatePolicy> = {}) => {
  const policy = anUpdatePolicy({ maxSurge: 1, ...update });
  const record = updated(aFleet({ replicas: 2, update: policy }), OTHER, []);
  return { ...record, rollout: { ...record.rollout, ...rollout } };
};
const half = [
  anEntry({ incarnation: 2, template: OTHER.digest }),
  anEntry({ index: 1 }),
  anEntry({ index: SURGE_INDEX, template: OTHER.digest }),
];
const halfWay = (fleet: FleetRecord, phase: Observed["phase"] = "ready"): Snapshot =>
  snapshotOf(
    [fleet],
    [
      aHost(
        "h1",
        {
          instances: half.map((one) =>
            anObserved({ ...one, phase: one.index === 0 ? phase : "ready" }),
          ),
        },
        {
          orders: someOrders("h1", half, { templates: [...someOrders("h1", []).templates, OTHER] }),
        },
      ),
    ],
  );
const halfNext = (...entries: readonly OrderedInstance[]): Plan =>
  planOf(next("h1", entries, { templates: [...someOrders("h1", []).templates, OTHER] }));
const halting = (fleet: FleetRecord, over: Partial<FleetRecord> = {}): Plan => ({
  ...EMPTY,
  fleets: [{ ...withRolloutState(fleet, { kind: "halted", reason: "failures" }), ...over }],
});

type Case = readonly [string, string, Snapshot, Plan];

const cases: readonly Case[] = [
  [
    "an incarnation is ordered on a second host",
    "I1",
    snapshotOf(),
    planOf(next("h2", [anEntry()])),
  ],
  [
    "two incarnations of an instance are to run",
    "I1",
    snapshotOf(),
    planOf(next("h2", [anEntry({ incarnation: 2 })])),
  ],
  [
    "an incarnation is ordered that is older than one seen elsewhere",
    "I1",
    snapshotOf(
      [aFleet()],
      [
        aHost("h1", { instances: [anObserved({ incarnation: 3 })] }, { liveness: "lost" }),
        aHost("h2"),
      ],
    ),
    planOf(next("h2", [anEntry({ incarnation: 2 })])),
  ],
  [
    "an incarnation is ordered that a lost host may still run",
    "I1",
    snapshotOf(
      [aFleet()],
      [aHost("h1", { instances: [anObserved()] }, { liveness: "lost" }), aHost("h2")],
    ),
    planOf(next("h2", [anEntry()])),
  ],
  [
    "an incarnation begins while an earlier one may be alive elsewhere",
    "I2",
    snapshotOf([aFleet()], ending()),
    planOf(next("h2", [anEntry({ incarnation: 2 })])),
  ],
  [
    "one that had stopped goes on while an earlier one may be alive elsewhere",
    "I2",
    snapshotOf(
      [aFleet()],
      [
        ...ending().slice(0, 1),
        aHost(
          "h2",
          { instances: [anObserved({ incarnation: 2, phase: "stopped" })] },
          { orders: someOrders("h2", [anEntry({ incarnation: 2, desired: "stop" })]) },
        ),
      ],
    ),
    planOf(next("h2", [anEntry({ incarnation: 2 })])),
  ],
  [
    "what a machine has is ordered to another of its name, while the first may be alive",
    "I2",
    snapshotOf([aFleet()], twins({ liveness: "silent" })),
    planOf(next("h1", [anEntry()], { agent: agentOf("twin") })),
  ],
  [
    "what a lost machine has is ordered to one that is not its successor",
    "I2",
    snapshotOf([aFleet()], twins({ liveness: "lost" })),
    planOf(next("h1", [anEntry()], { agent: agentOf("twin") })),
  ],
  [
    "something is ordered to nobody",
    "I2",
    snapshotOf(),
    planOf(next("h1", [anEntry()], { agent: undefined })),
  ],
  [
    "an incarnation begins while one that nobody ordered is alive elsewhere",
    "I2",
    snapshotOf([aFleet()], [aHost("h1", { instances: [anObserved()] }), aHost("h2")]),
    planOf(next("h2", [anEntry({ incarnation: 2 })])),
  ],
  ...(["vcpuMillis", "memoryMib", "diskMib"] as const).map((kind): Case => {
    const roomy = { vcpuMillis: 8000, memoryMib: 8192, diskMib: 100 };
    const hosts = [aHost("h1", { capacity: { ...roomy, [kind]: small[kind] } })];
    const orders = next("h1", [anEntry()]);
    const templates = [{ digest: digest("a1"), template: thirsty.spec.template, image: undefined }];
    return [
      `more ${kind} is promised than there is`,
      "I3",
      snapshotOf([thirsty], hosts),
      planOf({ ...orders, templates }),
    ];
  }),
  [
    "a resumed instance finds its host full",
    "I3",
    snapshotOf(
      [aFleet()],
      resting().map((host) => ({
        ...host,
        report: host.report && { ...host.report, capacity: small },
      })),
    ),
    planOf(next("h1", [anEntry()])),
  ],
  [
    "room is given away that an older report only seems to free",
    "I3",
    snapshotOf(
      [thirsty],
      [
        aHost(
          "h1",
          {
            generation: 1,
            capacity: { vcpuMillis: 500, memoryMib: 8192, diskMib: 100 },
            instances: [anObserved({ phase: "stopped" })],
          },
          { orders: someOrders("h1", [anEntry({ desired: "stop" })], { generation: 2 }, thirsty) },
        ),
      ],
    ),
    planOf(
      someOrders(
        "h1",
        [anEntry({ desired: "stop" }), anEntry({ index: 1 })],
        { generation: 3 },
        thirsty,
      ),
    ),
  ],
  [
    "an instance is begun whose template the document does not hold",
    "I3",
    snapshotOf([aFleet()], [aHost("h1")]),
    planOf(next("h1", [anEntry()], { templates: [] })),
  ],
  [
    "an instance that runs well is discarded",
    "I4",
    snapshotOf(),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "a running instance of a changed template is discarded before it stopped",
    "I4",
    snapshotOf([aFleet({}, { template: digest("a2") })]),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "a stopped instance that nobody changed is discarded",
    "I4",
    snapshotOf([aFleet()], resting()),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "the disk of a lost host is discarded",
    "I4",
    snapshotOf([aFleet({}, { template: digest("a2") })], lost(resting())),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "an instance that is wished to rest is discarded for its changed template",
    "I4",
    snapshotOf(
      [
        aFleet(
          {},
          {
            template: digest("a2"),
            wishes: [{ index: 0, isStopped: true, minIncarnation: 0 }],
          },
        ),
      ],
      resting(),
    ),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "an older incarnation in quarantine is discarded",
    "I4",
    snapshotOf(
      [aFleet({}, { template: digest("a2") })],
      [...resting(), aHost("h2", {}, { orders: someOrders("h2", [anEntry({ incarnation: 2 })]) })],
    ),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "an instance of an undeclared fleet is discarded",
    "I4",
    snapshotOf([]),
    planOf(next("h1", [anEntry({ desired: "discard" })])),
  ],
  [
    "an extra instance is discarded while others are still to be replaced",
    "I4",
    halfWay(updating()),
    halfNext(half[0] ?? anEntry(), half[1] ?? anEntry(), {
      ...(half[2] ?? anEntry()),
      desired: "discard",
    }),
  ],
  [
    "an instance is replaced though its update is held",
    "I4",
    halfWay(updating({ state: { kind: "paused", reason: "by an operator" } })),
    halfNext(
      half[0] ?? anEntry(),
      anEntry({ index: 1, desired: "discard" }),
      anEntry({ index: 1, incarnation: 2, template: OTHER.digest }),
      half[2] ?? anEntry(),
    ),
  ],
  [
    "an instance is discarded for a successor on another host",
    "I4",
    snapshotOf([updating()], [...snapshotOf().hosts]),
    planOf(
      next("h1", [anEntry({ desired: "discard" })]),
      next("h2", [anEntry({ incarnation: 2, template: OTHER.digest })], { templates: [OTHER] }),
    ),
  ],
  ["an update is halted that has no failures", "I6", halfWay(updating()), halting(updating())],
  [
    "a fleet is declared anew beside being halted",
    "I6",
    halfWay(updating(), "failed"),
    halting(updating(), { spec: { ...updating().spec, replicas: 7 } }),
  ],
  [
    "an update is halted a second time",
    "I6",
    halfWay(updating({ state: { kind: "halted", reason: "failures" } }), "failed"),
    halting(updating()),
  ],
  [
    "an update is called done that is not",
    "I6",
    halfWay(updating()),
    { ...EMPTY, fleets: [withRolloutState(updating(), { kind: "done" })] },
  ],
  [
    "an update is undone whose policy is to pause",
    "I6",
    halfWay(updating(), "failed"),
    { ...EMPTY, fleets: [rolledBack(updating(), "failures", []) ?? updating()] },
  ],
  [
    "an update is undone by another template than the one before",
    "I6",
    halfWay(updating({}, { onFailure: "rollback" }), "failed"),
    {
      ...EMPTY,
      fleets: [
        {
          ...(rolledBack(updating({}, { onFailure: "rollback" }), "failures", []) ?? updating()),
          template: digest("a3"),
        },
      ],
    },
  ],
  ["a fleet is written that nobody declared", "I6", snapshotOf([]), halting(updating())],
  ["an entry drops out of the orders", "I4", snapshotOf(), planOf(next("h1", []))],
  [
    "a discard is forgotten while the disk is there",
    "I4",
    snapshotOf(
      [aFleet({ replicas: 0 })],
      [
        aHost(
          "h1",
          { instances: [anObserved({ phase: "stopped" })] },
          { orders: someOrders("h1", [anEntry({ desired: "discard" })]) },
        ),
      ],
    ),
    planOf(next("h1", [])),
  ],
  [
    "a discard is forgotten on the word of an older report",
    "I4",
    snapshotOf(
      [aFleet({ replicas: 0 })],
      [
        aHost(
          "h1",
          { generation: 1 },
          { orders: someOrders("h1", [anEntry({ desired: "discard" })], { generation: 2 }) },
        ),
      ],
    ),
    planOf(next("h1", [], { generation: 3 })),
  ],
  ["orders bear another epoch", "I5", snapshotOf(), planOf(next("h1", [anEntry()], { epoch: 2 }))],
  [
    "orders follow those of a later epoch",
    "I5",
    aSnapshot([], [aHost("h1", {}, { orders: someOrders("h1", [], { epoch: 5 }) })]),
    planOf(next("h1", [])),
  ],
  [
    "a generation is used again",
    "I5",
    snapshotOf(),
    planOf(next("h1", [anEntry()], { generation: 1 })),
  ],
  [
    "a generation is below what the host has applied",
    "I5",
    snapshotOf([], [aHost("h1", { generation: 7 })]),
    planOf(next("h1", [])),
  ],
  [
    "a host gets two documents",
    "I5",
    snapshotOf(),
    planOf(next("h1", [anEntry()]), next("h1", [anEntry()], { generation: 3 })),
  ],
  [
    "orders are for a host that is not known",
    "I5",
    snapshotOf(),
    planOf(next("h9", [anEntry({ fleet: fleetName("db") })], { host: hostName("h9") })),
  ],
  ["a wanted instance is left out", "I8", snapshotOf([aFleet({ replicas: 2 })]), EMPTY],
  [
    "an instance that runs is stopped, and it is not said why",
    "I8",
    snapshotOf(),
    planOf(next("h1", [anEntry({ desired: "stop" })])),
  ],
  [
    "an instance on a lost host is not said to wait",
    "I8",
    snapshotOf([aFleet()], lost(snapshotOf().hosts)),
    EMPTY,
  ],
  [
    "a wait has no reason",
    "I8",
    snapshotOf([aFleet()], []),
    {
      ...EMPTY,
      waiting: [{ instance: anEntry().name, fleet: fleetName("web"), reason: "", refusals: [] }],
    },
  ],
  [
    "a wait counts a rule without saying what would help",
    "I8",
    snapshotOf([aFleet()], []),
    {
      ...EMPTY,
      waiting: [
        {
          instance: anEntry().name,
          fleet: fleetName("web"),
          reason: "no host admits it",
          refusals: [{ rule: "memory", hosts: 1, text: "" }],
        },
      ],
    },
  ],
];

test.each(cases)("objects where %s (%s)", (_, invariant, snapshot, plan) => {
  const violations = check(snapshot, plan);
  expect(violations.map((one) => one.invariant)).toContain(invariant);
  expect(violations.every((one) => one.text.length > 0)).toBe(true);
});

test.each(cases)("agrees to what the planner makes where %s", (_, __, snapshot) => {
  expect(check(snapshot, reconcile(snapshot))).toEqual([]);
});

test("agrees to a successor of what has ended, or is on a lost host (I2)", () => {
  const plan = planOf(next("h2", [anEntry({ incarnation: 2 })]));
  const [h1, ...others] = ending();
  if (h1 === undefined) throw new Error("two hosts");
  for (const hosts of [ending("stopped"), [...lost([h1]), ...others]]) {
    expect(check(snapshotOf([aFleet()], hosts), plan)).toEqual([]);
  }
  const late = [...lost([h1]), ...others].map((host) => ({ ...host, liveness: "silent" as const }));
  expect(check(snapshotOf([aFleet()], late), plan)).toMatchObject([{ invariant: "I2" }]);
});

test("agrees to a capacity that an instance and its successor have only in turn (I3)", () => {
  const hosts = (memoryMib: number) => [
    aHost(
      "h1",
      { capacity: { vcpuMillis: 500, memoryMib, diskMib: 0 }, instances: [anObserved()] },
      { orders: someOrders("h1", [anEntry()]) },
    ),
  ];
  const resources = { vcpuMillis: 500, memoryMib: 300, diskMib: 0 };
  const larger = { ...OTHER, template: aContainer({ resources }) };
  const fleet = updated(aFleet(), larger, []);
  const entries = [
    anEntry({ desired: "discard" }),
    anEntry({ incarnation: 2, template: larger.digest }),
  ];
  const templates = [...someOrders("h1", []).templates, larger];
  const plan = planOf(next("h1", entries, { templates }));
  expect(check(snapshotOf([fleet], hosts(300)), plan)).toEqual([]);
  expect(check(snapshotOf([fleet], hosts(299)), plan)).toMatchObject([{ invariant: "I3" }]);
});

test("counts in turn as well what is stopped before its turn has come (I3)", () => {
  const resources = { vcpuMillis: 500, memoryMib: 300, diskMib: 0 };
  const larger = { ...OTHER, template: aContainer({ resources }) };
  const templates = [...someOrders("h1", []).templates, larger];
  const fleet = updated(aFleet({ replicas: 2 }), larger, []);
  const begun = anEntry({ incarnation: 2, template: larger.digest });
  const pair = [anEntry({ desired: "discard" }), begun];
  const capacity = { vcpuMillis: 1_000, memoryMib: 600, diskMib: 0 };
  const host = aHost(
    "h1",
    { capacity, instances: [anObserved()], generation: 1 },
    { orders: someOrders("h1", pair, { templates, generation: 2 }) },
  );
  const other = anEntry({ index: 1, template: larger.digest });
  const entries = [anEntry({ desired: "discard" }), { ...begun, desired: "stop" as const }, other];
  const plan = planOf(someOrders("h1", entries, { templates, generation: 3 }));
  const wishes = [{ index: 0, isStopped: true, minIncarnation: 0 }];
  expect(check(snapshotOf([{ ...fleet, wishes }], [host]), plan)).toEqual([]);
});

test("agrees to a plan that changes nothing where nothing is to change", () => {
  expect(check(snapshotOf(), EMPTY)).toEqual([]);
});
