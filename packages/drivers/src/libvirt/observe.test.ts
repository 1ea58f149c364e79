import type { Digest, FleetName } from "@evm/fleet";
import { instanceName } from "@evm/fleet";
import type { DomainState } from "@evm/libvirt";
import { expect, test } from "vitest";
import type { Marks, Run } from "./marks.ts";
import { observe, type Seen } from "./observe.ts";

const fleet = "web" as FleetName;
const marks: Marks = {
  name: instanceName(fleet, 1),
  incarnation: 1,
  fleet,
  index: 1,
  templateDigest: `sha256:${"0".repeat(64)}` as Digest,
  readiness: undefined,
  folder: "/pool/overlays/web-0001.1",
  network: undefined,
  run: undefined,
};
const run: Run = { startedAt: 1000, isReady: false, end: undefined };
const patient: Marks = { ...marks, readiness: { text: "up", timeoutMs: 500 }, run };
const seen: Seen = { now: 1200, isTextShown: false, isDiskThere: true, address: "10.0.0.2" };

const RUNNING: DomainState = { state: "running", reason: "booted" };
const off = (reason: DomainState["reason"]): DomainState => ({ state: "shutoff", reason });

test("a domain that was never started is created", () => {
  expect(observe(marks, off("unknown"), seen)).toMatchObject({
    instance: { state: "created", startedAt: undefined, exit: undefined },
    run: undefined,
  });
});

test("a running domain without a readiness is ready", () => {
  const shown = { state: "ready", startedAt: 1000, address: "10.0.0.2" };
  expect(observe({ ...marks, run }, RUNNING, seen).instance).toMatchObject(shown);
});

test("a readiness that was seen stays noted when its text is rotated away", () => {
  const first = observe(patient, RUNNING, { ...seen, isTextShown: true });
  expect(first.run).toEqual({ ...run, isReady: true });
  const later = observe({ ...patient, run: first.run }, RUNNING, { ...seen, now: 9_000_000 });
  expect(later.instance).toMatchObject({ state: "ready", reason: undefined });
  expect(later.run).toBe(first.run);
});

test("a readiness that is overdue is told", () => {
  expect(observe(patient, RUNNING, { ...seen, now: 1500 }).instance.reason).toBeUndefined();
  const reason = 'its console has not shown "up" within 500 ms';
  expect(observe(patient, RUNNING, { ...seen, now: 1501 }).instance.reason).toBe(reason);
});

test("the guest's own power-off is a success, every other end a failure with its reason", () => {
  const ended = (reason: DomainState["reason"]) =>
    observe({ ...marks, run }, off(reason), seen).instance;
  expect(ended("shutdown")).toMatchObject({ state: "exited", exit: "success", reason: undefined });
  for (const reason of ["destroyed", "crashed", "failed", "unknown", "daemon"] as const) {
    const shown = { state: "exited", exit: "failure", reason: expect.any(String) };
    expect(ended(reason)).toMatchObject(shown);
  }
});

test("how it ended is remembered when libvirtd forgets it", () => {
  const { run: noted } = observe({ ...marks, run }, off("shutdown"), seen);
  const after = observe({ ...marks, run: noted }, off("unknown"), seen);
  expect(after.instance).toMatchObject({ state: "exited", exit: "success" });
  expect(after.run).toBe(noted);
});

test("a start by somebody else is a new run, whose readiness is not that of the last", () => {
  const end = { exit: "failure", reason: "its power was cut" } as const;
  const ended = { ...patient, run: { ...run, isReady: true, end } };
  const { instance, run: next } = observe(ended, RUNNING, seen);
  expect(instance).toMatchObject({ state: "running", startedAt: seen.now, reason: undefined });
  expect(next).toEqual({ startedAt: seen.now, isReady: false, end: undefined });
});

test("a paused domain runs, and says why it stands still", () => {
  const paused = observe({ ...marks, run }, { state: "paused", reason: "io-error" }, seen);
  expect(paused.instance).toMatchObject({ state: "running", reason: "paused: io-error" });
});

test("a pause that belongs to its start or to a backup is no failure", () => {
  for (const reason of ["starting-up", "snapshot", "save"] as const) {
    const paused = observe({ ...marks, run }, { state: "paused", reason }, seen);
    expect(paused.instance).toMatchObject({ state: "running", reason: undefined });
  }
});

test("a domain that is off and has lost its disk is broken", () => {
  const broken = observe({ ...marks, run }, off("shutdown"), { ...seen, isDiskThere: false });
  expect(broken.instance).toMatchObject({ state: "broken", reason: expect.any(String) });
});
