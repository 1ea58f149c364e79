import { expect, test } from "vitest";
import { judge } from "./verdict.ts";

const file = (
  status: string,
  ...tests: readonly (readonly [fullName: string, status: string])[]
) => ({
  name: "a.test.ts",
  status,
  message: status === "failed" ? "no such module" : "",
  assertionResults: tests.map(([fullName, status]) => ({
    fullName,
    status,
    failureMessages:
      status === "failed" ? ["Error: not so:\n  [\n    1\n  ]\n    at a.test.ts:3:9"] : [],
  })),
});

test("counts what passed and names what failed, and why", () => {
  const report = { testResults: [file("failed", ["one", "passed"], ["two", "failed"])] };
  expect(judge(report)).toEqual({
    passed: 1,
    failures: ["a.test.ts: two: Error: not so: [ 1 ]"],
    skips: [],
  });
});

test("a file that could not be loaded is a failure", () => {
  expect(judge({ testResults: [file("failed")] }).failures).toEqual([
    "a.test.ts: could not be loaded: no such module",
  ]);
});

test("a skip is permitted only with the reason why the machine cannot run it", () => {
  const report = {
    testResults: [
      file("passed", ["vms (cannot run here: no libvirtd) boot", "skipped"], ["two", "skipped"]),
      file("passed", ["three", "todo"]),
    ],
  };
  const { failures, skips } = judge(report);
  expect(skips).toEqual(["a.test.ts: vms (cannot run here: no libvirtd) boot"]);
  expect(failures).toEqual([
    "a.test.ts: two: skipped without a reason",
    "a.test.ts: three: skipped without a reason",
  ]);
});

test("a run without a report has failed", () => {
  expect(judge(undefined).failures).toEqual(["the tests left no report"]);
});
