/**
 * tally.ts REPORT [STAGE...]: the verdict over a run of .ci/run, from vitest's JSON report and the
 * stages that failed. The last line is `N passed, N failed, N skipped`.
 */
import { existsSync, readFileSync } from "node:fs";
import { judge, type Report } from "./tally/verdict.ts";

const [, , file = "", ...stages] = process.argv;
const report: Report | undefined = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : undefined;
const { passed, failures, skips } = judge(report);
// Failed tests are why the stage that runs them failed: they count once.
const unexplained = stages.filter((stage) => stage !== "test" || failures.length === 0);
const failed = [...failures, ...unexplained.map((stage) => `stage "${stage}"`)];

for (const name of skips) console.log(`skipped  ${name}`);
for (const name of failed) console.log(`FAILED   ${name}`);
const skipped = skips.length > 0 ? `, ${skips.length} skipped` : "";
console.log(`${passed} passed, ${failed.length} failed${skipped}`);
process.exitCode = failed.length > 0 ? 1 : 0;
