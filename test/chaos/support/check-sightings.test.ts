import { expect, test } from "vitest";
import type { Seen, Sighting } from "../../support/world/eye.ts";
import { checkSightings, type Expectation } from "./check-sightings.ts";

const expectation: Expectation = {
  isExclusive: (fleet) => fleet === "exam",
  largest: new Map([
    ["exam", 2],
    ["web", 2],
  ]),
  excuses: [],
};

/** `exam-0000.2`, or `exam-0000.2.dead` where it only exists. */
const seen = (name: string): Seen => {
  const [instance = "", incarnation, state] = name.split(".");
  const fleet = instance.slice(0, instance.lastIndexOf("-"));
  const pid = state === "dead" ? undefined : 1;
  return {
    id: `${instance}.${incarnation}`,
    pid,
    instance,
    fleet,
    incarnation: Number(incarnation),
  };
};

const look = (atMs: number, host: string, ...names: readonly string[]): Sighting => ({
  host,
  atMs,
  seen: names.map(seen).map((one) => ({ ...one, id: `${one.id} on ${host}` })),
});

const check = (sightings: readonly Sighting[], changed: Partial<Expectation> = {}) =>
  checkSightings(sightings, { ...expectation, ...changed });

test("instances that run once each, one of them restarted elsewhere, are as they shall be", () => {
  const sightings = [
    look(0, "a", "exam-0000.1", "web-0001.1"),
    look(1, "b", "web-0000.1"),
    look(200, "a", "web-0001.1"),
    look(201, "b", "web-0000.1", "exam-0000.2"),
    look(400, "a"),
    look(401, "b", "exam-0000.2"),
  ];
  expect(check(sightings)).toEqual([]);
});

test("an incarnation that exists on two hosts is a breach, even where it does not run", () => {
  const sightings = [
    look(0, "a", "web-0000.1.dead"),
    look(1, "b", "web-0000.1"),
    look(200, "a", "web-0000.1.dead"),
  ];
  expect(check(sightings)).toEqual([
    "I1: web-0000.1 existed on a and on b at once, from 0.00 s on for 0 ms or more",
  ]);
});

test("an instance that was removed may begin anew elsewhere", () => {
  const sightings = [look(0, "a", "web-0000.1"), look(200, "a"), look(201, "b", "web-0000.1")];
  expect(check(sightings)).toEqual([]);
});

test("an exclusive instance that runs here while it still runs there is a breach", () => {
  const sightings = [
    look(0, "a", "exam-0000.1"),
    look(100, "b", "exam-0000.2"),
    look(200, "a", "exam-0000.1"),
  ];
  const [breach, ...others] = check(sightings);
  expect(breach).toMatch(/^I2: exam-0000\.1 on a and exam-0000\.2 on b ran at once/);
  expect(others).toEqual([]);
});

test("seen here before it was seen there, an exclusive instance may have ended in between", () => {
  const sightings = [
    look(0, "a", "exam-0000.1"),
    look(1, "b", "exam-0000.2"),
    look(200, "a"),
    look(201, "b", "exam-0000.2"),
  ];
  expect(check(sightings)).toEqual([]);
});

test("what may go on in isolation may run on two hosts", () => {
  const sightings = [
    look(0, "a", "web-0000.1"),
    look(100, "b", "web-0000.2"),
    look(200, "a", "web-0000.1"),
  ];
  expect(check(sightings)).toEqual([]);
});

test("no instance may run twice on one host", () => {
  expect(check([look(0, "a", "web-0000.1", "web-0000.2")])).toHaveLength(1);
});

test("an agent that could not act is excused for as long as it could not, and no longer", () => {
  const sightings = [
    look(0, "a", "exam-0000.1"),
    look(100, "b", "exam-0000.2"),
    look(200, "a", "exam-0000.1"),
  ];
  const excuse = { host: "a", fromMs: 50, toMs: 300 };
  expect(check(sightings, { excuses: [excuse] })).toEqual([]);
  expect(check(sightings, { excuses: [{ ...excuse, toMs: 90 }] })).toHaveLength(1);
  expect(check(sightings, { excuses: [{ ...excuse, host: "c" }] })).toHaveLength(1);
});

test("a fleet that nobody asked for, and one instance too many, were not ordered", () => {
  expect(check([look(0, "a", "ghost-0000.1", "web-0002.1")])).toEqual([
    "not ordered: ghost-0000.1 ran on a; ghost had at most 0",
    "not ordered: web-0002.1 ran on a; web had at most 2",
  ]);
});

test("a container without marks is nobody's, unless it is seen only on its way in or out", () => {
  const stranger: Seen = { id: "c0ffee", pid: 1, instance: "", fleet: "", incarnation: 0 };
  const at = (atMs: number): Sighting => ({ host: "a", atMs, seen: [stranger] });
  expect(check([at(0), look(200, "a")])).toEqual([]);
  expect(check([at(0), at(200)])).toEqual(["nobody's: c0ffee ran on a"]);
});
