import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aFleet, anEntry, anObserved, aRestartPolicy, someOrders } from "../test/build.ts";
import { converge, isolated } from "./converge.ts";
import { runtimeName } from "./ids.ts";
import type { OrderedInstance } from "./orders.ts";
import { isAlive, type ObservedPhase } from "./phase.ts";
import type { Observed } from "./report.ts";
import type { RestartPolicy } from "./spec.ts";
import { type History, type RestartRecord, remember, type Step } from "./step.ts";

const NOW = 1_000_000;

type Given = {
  readonly ordered: readonly OrderedInstance[];
  readonly observed: readonly Observed[];
  readonly records?: readonly Partial<RestartRecord>[];
  readonly restart?: Partial<RestartPolicy>;
  readonly now?: number;
};

function historyOf(records: readonly Partial<RestartRecord>[]): History {
  const full = records.map((record): RestartRecord => {
    const { name, incarnation } = anEntry();
    const nothing = { restartedAt: [], stopped: undefined, givenUp: undefined };
    return { name, incarnation, ...nothing, ...record };
  });
  return new Map(full.map((one) => [runtimeName(one.name, one.incarnation), one]));
}

function steps({ ordered, observed, records = [], restart, now = NOW }: Given): readonly Step[] {
  const fleet = aFleet({ restart: aRestartPolicy(restart) });
  const orders = someOrders("h1", ordered, {}, fleet);
  return converge({ orders, observed, history: historyOf(records), now });
}

const brief = (list: readonly Step[]): string[] =>
  list.map((step) => `${step.kind} ${runtimeName(step.name, step.incarnation)}`);

test("before the first orders nothing is touched", () => {
  const input = { orders: undefined, observed: [anObserved()], history: new Map(), now: NOW };
  expect(converge(input)).toEqual([]);
});

describe("what is ordered to run", () => {
  const run = [anEntry()];
  const cases: readonly [string, Partial<Observed> | undefined, string[]][] = [
    ["is prepared where it is not there", undefined, ["prepare web-0000.1"]],
    ["is left to be prepared", { phase: "preparing" }, []],
    ["is started once it is made", { phase: "stopped" }, ["start web-0000.1"]],
    ["is left to start", { phase: "starting" }, []],
    ["is left to become ready", { phase: "running" }, []],
    ["is left alone where it is ready", { phase: "ready" }, []],
    ["is left to stop", { phase: "stopping" }, []],
    [
      "is restarted at once where it ended",
      { phase: "stopped", exit: "failure" },
      ["start web-0000.1"],
    ],
    [
      "is stopped where it is unhealthy",
      { phase: "running", exit: "failure" },
      ["stop web-0000.1"],
    ],
    ["is left alone where it has failed", { phase: "failed" }, []],
  ];
  test.each(cases)("%s", (_, one, expected) => {
    const observed = one === undefined ? [] : [anObserved(one)];
    expect(brief(steps({ ordered: run, observed }))).toEqual(expected);
  });

  test("carries what a driver needs to prepare it", () => {
    const [step] = steps({ ordered: run, observed: [] });
    expect(step).toMatchObject({ driver: "container", ordered: anEntry() });
    if (step?.kind === "prepare") expect(step.template.template).toEqual(aFleet().spec.template);
  });
});

describe("what must not run", () => {
  const older = (phase: ObservedPhase) => anObserved({ incarnation: 1, phase });
  const two = [anEntry({ desired: "stop" }), anEntry({ incarnation: 2 })];

  test("an older incarnation is stopped before the ordered one is prepared", () => {
    expect(brief(steps({ ordered: two, observed: [older("ready")] }))).toEqual(["stop web-0000.1"]);
    expect(brief(steps({ ordered: two, observed: [older("stopping")] }))).toEqual([]);
    expect(brief(steps({ ordered: two, observed: [older("stopped")] }))).toEqual([
      "prepare web-0000.2",
    ]);
  });

  test("an older incarnation that orders do not name is stopped and kept", () => {
    const ordered = [anEntry({ incarnation: 2 })];
    expect(brief(steps({ ordered, observed: [older("ready")] }))).toEqual(["stop web-0000.1"]);
    expect(brief(steps({ ordered, observed: [older("stopped")] }))).toEqual(["prepare web-0000.2"]);
  });

  test("what orders do not name is stopped, and never discarded (I4)", () => {
    expect(brief(steps({ ordered: [], observed: [older("ready")] }))).toEqual(["stop web-0000.1"]);
    expect(brief(steps({ ordered: [], observed: [older("stopped")] }))).toEqual([]);
  });

  test("a newer incarnation than any ordered is left alone, and what is ordered waits", () => {
    const observed = [anObserved({ incarnation: 3 })];
    const list = steps({ ordered: two, observed });
    expect(brief(list)).toEqual(["wait web-0000.2"]);
    expect(list[0]?.reason).toBe("waits for newer orders: incarnation 3 is here");
  });

  test("preparing or starting is broken off where it is to stop", () => {
    const ordered = [anEntry({ desired: "stop" })];
    expect(brief(steps({ ordered, observed: [older("preparing")] }))).toEqual(["stop web-0000.1"]);
    expect(brief(steps({ ordered, observed: [older("starting")] }))).toEqual(["stop web-0000.1"]);
  });

  test("a discard stops first, then removes; what is gone needs nothing", () => {
    const ordered = [anEntry({ desired: "discard" })];
    expect(brief(steps({ ordered, observed: [older("ready")] }))).toEqual(["stop web-0000.1"]);
    expect(brief(steps({ ordered, observed: [older("stopped")] }))).toEqual(["discard web-0000.1"]);
    expect(brief(steps({ ordered, observed: [older("failed")] }))).toEqual(["discard web-0000.1"]);
    expect(brief(steps({ ordered, observed: [] }))).toEqual([]);
  });

  test("what frees room comes before what takes it", () => {
    const ordered = [
      anEntry({ index: 0 }),
      anEntry({ index: 1 }),
      anEntry({ index: 2, desired: "discard" }),
      anEntry({ index: 3, desired: "stop" }),
    ];
    const observed = [
      anObserved({ index: 1, phase: "stopped" }),
      anObserved({ index: 2, phase: "stopped" }),
      anObserved({ index: 3 }),
    ];
    expect(brief(steps({ ordered, observed }))).toEqual([
      "stop web-0003.1",
      "discard web-0002.1",
      "start web-0001.1",
      "prepare web-0000.1",
    ]);
  });
});

describe("restarts", () => {
  test("do not wait for times that lie ahead, since the clock was set back", () => {
    const observed = ended({ since: NOW + 3_600_000 });
    const records = [{ restartedAt: [NOW + 3_599_000, NOW + 3_600_000] }];
    const [step] = steps({ ordered, observed, records });
    expect(step).toMatchObject({ kind: "start", record: { restartedAt: [NOW] } });
  });

  const ordered = [anEntry()];
  const ended = (over: Partial<Observed> = {}) => [
    anObserved({ phase: "stopped", exit: "failure", since: NOW, ...over }),
  ];

  test("come at once, then after a wait that doubles up to its maximum", () => {
    const after = (restarts: number) => {
      const restartedAt = Array.from({ length: restarts }, (_, at) => NOW - restarts + at);
      const restart = { maxRestarts: 9 };
      return steps({ ordered, observed: ended(), records: [{ restartedAt }], restart })[0];
    };
    expect(after(0)).toMatchObject({ kind: "start", record: { restartedAt: [NOW] } });
    expect(after(1)).toMatchObject({ kind: "wait", untilMs: NOW + 1000 });
    expect(after(2)).toMatchObject({ kind: "wait", untilMs: NOW + 2000 });
    expect(after(3)).toMatchObject({ kind: "wait", untilMs: NOW + 3000 });
    expect(after(8)).toMatchObject({ kind: "wait", untilMs: NOW + 3000 });
  });

  test("are given up above their number within the window, and counted anew after it", () => {
    const records = [{ restartedAt: [NOW - 300, NOW - 200, NOW - 100] }];
    const [step] = steps({ ordered, observed: ended(), records });
    expect(step).toMatchObject({
      kind: "giveUp",
      record: { givenUp: "it ended with a failure, after 3 restarts in 60 s" },
    });
    const later = NOW + 60_000;
    expect(steps({ ordered, observed: ended(), records, now: later })[0]).toMatchObject({
      kind: "start",
      record: { restartedAt: [later] },
    });
  });

  const modes: readonly [RestartPolicy["mode"], Observed["exit"], string[]][] = [
    ["always", "success", ["start web-0000.1"]],
    ["always", "failure", ["start web-0000.1"]],
    ["on-failure", "success", []],
    ["on-failure", "failure", ["start web-0000.1"]],
    ["never", "success", []],
    ["never", "failure", ["giveUp web-0000.1"]],
  ];
  test.each(modes)("%s, after a %s: %o", (mode, exit, expected) => {
    expect(brief(steps({ ordered, observed: ended({ exit }), restart: { mode } }))).toEqual(
      expected,
    );
  });

  test("a start that failed counts as one, and is not repeated without end", () => {
    const observed = [anObserved({ phase: "stopped", since: 0 })];
    expect(steps({ ordered, observed, records: [{}] })[0]).toMatchObject({
      kind: "start",
      record: { restartedAt: [NOW] },
    });
    const records = [{ restartedAt: [NOW] }];
    expect(steps({ ordered, observed, records })[0]).toMatchObject({ kind: "wait" });
  });

  test("what was stopped because it was unhealthy has failed, however it ended", () => {
    const records = [{ stopped: "unhealthy" as const }];
    const given = { ordered, observed: ended({ exit: "success" as const }), records };
    expect(steps({ ...given, restart: { mode: "on-failure" } })[0]?.kind).toBe("start");
    expect(steps({ ...given, restart: { mode: "never" } })[0]?.kind).toBe("giveUp");
  });

  test("what was stopped on order runs again when ordered, whatever its policy", () => {
    const records = [{ stopped: "ordered" as const, restartedAt: [NOW - 1, NOW - 2, NOW - 3] }];
    const given = { ordered, observed: ended(), records, restart: { mode: "never" as const } };
    expect(steps(given)[0]).toMatchObject({ kind: "start", record: { restartedAt: [] } });
  });

  test("what was given up stays so until a stop is ordered, which clears it", () => {
    const records = [{ givenUp: "it ended with a failure" }];
    const observed = [anObserved({ phase: "failed", exit: "failure" })];
    expect(steps({ ordered, observed, records })).toEqual([]);
    expect(steps({ ordered, observed: [], records })).toEqual([]);
    const stop = steps({ ordered: [anEntry({ desired: "stop" })], observed, records });
    expect(brief(stop)).toEqual(["stop web-0000.1"]);
    const cleared = stop.reduce(remember, historyOf(records));
    expect(cleared.get("web-0000.1")).toMatchObject({ stopped: "ordered", givenUp: undefined });
  });
});

test("a discard ends what is remembered of an incarnation", () => {
  const history = historyOf([{}]);
  const ordered = [anEntry({ desired: "discard" })];
  const [step] = steps({ ordered, observed: [anObserved({ phase: "stopped" })] });
  expect(step === undefined ? undefined : remember(history, step).size).toBe(0);
});

test("an isolated host stops the fleets that ask for it, and keeps the others (I2)", () => {
  const orders = someOrders("h1", [anEntry()]);
  expect(isolated(orders).instances).toEqual(orders.instances);
  const strict = someOrders("h1", [anEntry()], {}, aFleet({ onIsolation: "stop" }));
  expect(isolated(strict).instances.map((one) => one.desired)).toEqual(["stop"]);
});

test("whatever is there, at most one step per instance, and no disk goes unordered (I4)", () => {
  const phases = ["preparing", "starting", "running", "ready", "stopping", "stopped", "failed"];
  const index = fc.nat(2);
  const incarnation = fc.integer({ min: 1, max: 3 });
  const key = (one: { index: number; incarnation: number }) => one.index * 10 + one.incarnation;
  const orderArb = fc.record({
    index,
    incarnation,
    desired: fc.constantFrom("run" as const, "stop" as const, "discard" as const),
  });
  const observedArb = fc.record({
    index,
    incarnation,
    phase: fc.constantFrom(...(phases as ObservedPhase[])),
    exit: fc.constantFrom("success" as const, "failure" as const, undefined),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(orderArb, { selector: key }),
      fc.uniqueArray(observedArb, { selector: key }),
      (ordersGiven, observedGiven) => {
        const ordered = ordersGiven.map(anEntry);
        const observed = observedGiven.map(anObserved);
        const list = steps({ ordered, observed });
        expect(new Set(list.map((step) => step.name)).size).toBe(list.length);
        for (const step of list) {
          const is = (one: { name: string; incarnation: number }) =>
            one.name === step.name && one.incarnation === step.incarnation;
          const others = observed.filter((one) => one.name === step.name && !is(one));
          const order = ordered.find(is);
          if (step.kind === "discard") {
            expect(order?.desired).toBe("discard");
            expect(observed.some((one) => is(one) && isAlive(one.phase))).toBe(false);
          }
          if (step.kind === "start" || step.kind === "prepare") {
            expect(order?.desired).toBe("run");
            expect(others.filter((one) => isAlive(one.phase))).toEqual([]);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
