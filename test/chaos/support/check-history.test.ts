import { expect, test } from "vitest";
import { checkHistory } from "./check-history.ts";
import type { Operation, Outcome, Shown, Write } from "./history.ts";

const shown = (revision: number, replicas: number, tag: string): Shown => ({
  revision: BigInt(revision),
  replicas,
  tag,
  isDeleting: false,
});

const apply = (replicas: number, tag: string): Write => ({ kind: "apply", replicas, tag });
const scale = (replicas: number): Write => ({ kind: "scale", replicas });
const remove: Write = { kind: "delete" };

const ok = (endedAtMs: number, what: Shown | undefined): Outcome => ({
  kind: "ok",
  endedAtMs,
  shown: what,
});
const unknown: Outcome = { kind: "unknown", reason: "no answer" };
const refused = (endedAtMs: number): Outcome => ({ kind: "refused", endedAtMs, reason: "no" });

const operation = (invokedAtMs: number, write: Write, outcome: Outcome): Operation => ({
  fleet: "web",
  write,
  coordinator: "coordinator-1",
  invokedAtMs,
  outcome,
});

const check = (operations: readonly Operation[], end: Shown | undefined) =>
  checkHistory(operations, new Map([["web", end]]));

/** Applied with 2, scaled to 3. */
const good = [
  operation(0, apply(2, "a"), ok(1, shown(10, 2, "a"))),
  operation(2, scale(3), ok(3, shown(11, 3, "a"))),
];

test("writes one after the other, of which the last one stands, are as promised", () => {
  expect(check(good, shown(11, 3, "a"))).toEqual([]);
});

test("an acknowledged write that is not there in the end is lost", () => {
  expect(check(good, shown(10, 2, "a"))).toEqual([
    "web: H4: its size is 2 in the end, and the last write was scale 3 (ok)",
  ]);
  expect(check([good[0] as Operation], undefined)).toEqual([
    "web: H4: its size is gone in the end, and the last write was apply 2 (a) (ok)",
    "web: H4: its tag is gone in the end, and the last write was apply 2 (a) (ok)",
  ]);
});

test("an acknowledged write that an older one has overwritten is lost", () => {
  const late = [...good, operation(4, apply(1, "b"), ok(5, shown(12, 1, "b")))];
  expect(check(late, shown(13, 2, "a"))).toHaveLength(2);
});

test("writes that took effect in another order than they were acknowledged are a breach", () => {
  const reordered = [
    operation(0, apply(2, "a"), ok(1, shown(11, 2, "a"))),
    operation(2, apply(3, "b"), ok(3, shown(10, 3, "b"))),
  ];
  expect(check(reordered, shown(11, 2, "a"))).toContain(
    "web: H2: apply 3 (b) got revision 10, after apply 2 (a) got 11",
  );
});

test("a coordinator that acknowledges by what it remembers of an older revision is caught", () => {
  const stale = [
    operation(0, scale(2), ok(1, shown(10, 2, "a"))),
    operation(2, scale(3), ok(3, shown(11, 3, "a"))),
    operation(4, scale(2), ok(5, shown(10, 2, "a"))),
  ];
  expect(check(stale, shown(11, 3, "a"))).toContain(
    "web: H2: scale 2 got revision 10, after scale 3 got 11",
  );
});

test("what asks for what is so already may get the same revision, but no new tag", () => {
  const same = [...good, operation(4, scale(3), ok(5, shown(11, 3, "a")))];
  expect(check(same, shown(11, 3, "a"))).toEqual([]);
  const swallowed = [...good, operation(4, apply(3, "b"), ok(5, shown(11, 3, "a")))];
  expect(check(swallowed, shown(11, 3, "a"))).toContain(
    "web: H3: apply 3 (b) was acknowledged with its tag a",
  );
});

test("one revision with two contents is a breach", () => {
  const split = [
    operation(0, apply(2, "a"), ok(9, shown(10, 2, "a"))),
    operation(1, apply(3, "b"), ok(8, shown(10, 3, "b"))),
  ];
  expect(check(split, shown(10, 3, "b"))).toContain(
    "web: H1: revision 10 was shown as 2 (a) and as 3 (b)",
  );
});

test("of two writes at the same time either may stand, and either be shown", () => {
  const both = [
    operation(0, apply(2, "a"), ok(9, shown(11, 3, "b"))),
    operation(1, apply(3, "b"), ok(8, shown(11, 3, "b"))),
  ];
  expect(check(both, shown(11, 3, "b"))).toEqual([]);
});

test("a write without an answer may stand in the end or not, also over a later one", () => {
  const lost = [...good, operation(4, scale(5), unknown)];
  expect(check(lost, shown(11, 3, "a"))).toEqual([]);
  expect(check(lost, shown(12, 5, "a"))).toEqual([]);
  const late = [...lost, operation(6, scale(4), ok(7, shown(12, 4, "a")))];
  expect(check(late, shown(13, 5, "a"))).toEqual([]);
  expect(check(late, shown(13, 3, "a"))).toHaveLength(1);
});

test("a refused write changes nothing", () => {
  const history = [...good, operation(4, scale(5), refused(5))];
  expect(check(history, shown(11, 3, "a"))).toEqual([]);
  expect(check(history, shown(12, 5, "a"))).toHaveLength(1);
});

test("a deleted fleet is gone, on its way out, or applied again", () => {
  const deleting = { ...shown(12, 3, "a"), isDeleting: true };
  const deleted = [...good, operation(4, remove, ok(5, deleting))];
  expect(check(deleted, undefined)).toEqual([]);
  expect(check(deleted, deleting)).toEqual([]);
  expect(check(deleted, shown(11, 3, "a"))).toHaveLength(2);
  const again = [...deleted, operation(6, apply(1, "b"), ok(7, shown(20, 1, "b")))];
  expect(check(again, shown(20, 1, "b"))).toEqual([]);
  expect(check(again, undefined)).toHaveLength(2);
});

test("a deletion that was through before it could be shown is one all the same", () => {
  const deleted = [...good, operation(4, remove, ok(5, undefined))];
  expect(check(deleted, undefined)).toEqual([]);
  expect(check(deleted, shown(11, 3, "a"))).toHaveLength(2);
});

test("a fleet that nobody has looked at in the end is not called sound", () => {
  expect(checkHistory(good, new Map())).toEqual(["web: nobody looked what became of it"]);
});
