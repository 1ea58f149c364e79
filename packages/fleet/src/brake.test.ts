import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aFleet, aHost, anEntry, anObserved, someOrders } from "../test/build.ts";
import { type Brake, brake, type HostSign, type HostSigns } from "./brake.ts";

type State = {
  readonly sign: HostSign;
  /** What its orders name: an own instance, one that follows on another host, or none. */
  readonly holds:
    | ("running" | "ending" | "discarding")
    | ("resting" | "given-away" | "nothing" | "drained");
  readonly isConfirmedLost?: boolean;
};

/** Hosts of which each holds an instance of its own; one more runs what was given away. */
function cluster(states: readonly State[]) {
  const fleet = aFleet({ replicas: states.length }, { wishes: wishesOf(states) });
  const follows: ReturnType<typeof anEntry>[] = [];
  const hosts = states.map(({ sign, holds, isConfirmedLost = false }, index): HostSigns => {
    const name = `h${index}`;
    const desired = holds === "running" ? "run" : holds === "discarding" ? "discard" : "stop";
    const entry = anEntry({ index, desired });
    if (holds === "given-away") follows.push(anEntry({ index, incarnation: 2 }));
    const orders =
      holds === "nothing" || holds === "drained" ? undefined : someOrders(name, [entry]);
    const instances = holds === "running" ? [anObserved({ index })] : [];
    const admin = holds === "drained" ? "draining" : "active";
    return { view: aHost(name, { instances }, { orders, admin }), sign, isConfirmedLost };
  });
  const other = aHost("other", {}, { orders: someOrders("other", follows) });
  const all: HostSigns[] = [...hosts, { view: other, sign: "up", isConfirmedLost: false }];
  return (share = 0.3): Brake | undefined => brake([fleet], all, share);
}

const wishesOf = (states: readonly State[]) =>
  states.flatMap(({ holds }, index) =>
    holds === "resting" ? [{ index, isStopped: true, minIncarnation: 0 }] : [],
  );

const some = (count: number, sign: HostSign, holds: State["holds"] = "running"): State[] =>
  Array.from({ length: count }, () => ({ sign, holds }));

test("one host of few is let go, two are not", () => {
  expect(cluster([...some(1, "lost"), ...some(1, "up")])()).toBeUndefined();
  const held = cluster([...some(2, "lost"), ...some(1, "up")])();
  expect(held).toMatchObject({ silent: 2, known: 4, most: 1 });
  expect([...(held?.held ?? [])]).toEqual(["h0", "h1"]);
});

test("a share of many is let go, one more is not; 1 lets go of all", () => {
  const states = (lost: number) => [...some(lost, "lost"), ...some(99 - lost, "up")];
  expect(cluster(states(29))(0.29)).toBeUndefined();
  expect(cluster(states(30))(0.29)).toMatchObject({ silent: 30, known: 100, most: 29 });
  expect(cluster(states(99))(1)).toBeUndefined();
});

test("the first that is overdue is held for those whose leases still run", () => {
  const states = [...some(1, "lost"), ...some(19, "quiet"), ...some(29, "up")];
  expect([...(cluster(states)()?.held ?? [])]).toEqual(["h0"]);
  expect(cluster(some(20, "quiet"))()).toBeUndefined();
});

test("a new leader, or one that follows, holds what is overdue as well", () => {
  expect(cluster([...some(2, "overdue"), ...some(1, "up")])()?.held.size).toBe(2);
});

describe("does not count a host", () => {
  const beside = (state: State) => cluster([state, ...some(1, "lost"), ...some(1, "up")])();

  test.each(["given-away", "drained", "resting"] as const)("whose instance is %s", (holds) => {
    expect(beside({ sign: "lost", holds })).toBeUndefined();
  });

  test("whose loss was confirmed", () => {
    const state: State = { sign: "lost", holds: "running", isConfirmedLost: true };
    expect(beside(state)).toBeUndefined();
  });
});

test("an instance that was being moved is at stake, and one that is wanted again", () => {
  expect(cluster([...some(2, "lost", "ending"), ...some(1, "up")])()?.silent).toBe(2);
  expect(cluster([...some(2, "lost", "discarding"), ...some(1, "up")])()?.silent).toBe(2);
});

test("beside others an empty host is not called lost either, one lost before stays so", () => {
  const states = [
    ...some(2, "lost"),
    ...some(1, "lost", "nothing"),
    ...some(1, "lost", "given-away"),
    ...some(1, "lost", "drained"),
  ];
  expect([...(cluster(states)()?.held ?? [])]).toEqual(["h0", "h1", "h2"]);
});

const stateArb: fc.Arbitrary<State> = fc.record({
  sign: fc.constantFrom<HostSign[]>("up", "up", "up", "quiet", "unknown", "overdue", "lost"),
  holds: fc.constantFrom<State["holds"][]>(
    ...["running" as const, "running" as const, "running" as const, "ending" as const],
    "discarding" as const,
    ...["resting" as const, "given-away" as const, "nothing" as const, "drained" as const],
  ),
  isConfirmedLost: fc.boolean(),
});
const statesArb = fc.array(stateArb, { minLength: 1, maxLength: 40, size: "max" });
const shareArb = fc.constantFrom(0.1, 0.3, 0.5, 1);

const counts = ({ sign, holds, isConfirmedLost }: State): boolean =>
  (sign === "quiet" || sign === "overdue" || sign === "lost") &&
  (holds === "running" || holds === "ending" || holds === "discarding") &&
  isConfirmedLost !== true;

test("holds exactly where too many count, and nobody who does not", () => {
  fc.assert(
    fc.property(statesArb, shareArb, (states, share) => {
      const made = cluster(states)(share);
      const silent = states.filter(counts).length;
      const known = silent + 1 + states.filter(({ sign }) => sign === "up").length;
      if (made === undefined) {
        const isOverdue = states.some(
          (one) => counts(one) && (one.sign === "lost" || one.sign === "overdue"),
        );
        expect(isOverdue && silent > Math.max(1, share * known)).toBe(false);
        return;
      }
      expect(made).toMatchObject({ silent, known });
      expect(silent).toBeGreaterThan(Math.max(1, share * known));
      for (const name of made.held) {
        const state = states[Number(name.slice(1))];
        expect(["overdue", "lost"]).toContain(state?.sign);
        expect(["given-away", "drained", "resting"]).not.toContain(state?.holds);
        expect(state?.isConfirmedLost).toBe(false);
      }
    }),
    { numRuns: 500 },
  );
});

test("one more host that falls silent never ends the brake", () => {
  fc.assert(
    fc.property(statesArb, shareArb, fc.nat(), (states, share, pick) => {
      const at = pick % states.length;
      const withSign = (sign: HostSign) =>
        cluster(states.map((one, index) => (index === at ? { ...one, sign } : one)))(share);
      const isHeld = withSign("up") !== undefined;
      if (isHeld) expect(withSign("lost")).toBeDefined();
    }),
    { numRuns: 500 },
  );
});
