/** What vitest's JSON reporter writes, as far as it matters here. */
export interface Report {
  readonly testResults: readonly {
    /** The file. */
    readonly name: string;
    readonly status: string;
    /** Why the file could not be loaded. */
    readonly message: string;
    readonly assertionResults: readonly {
      /** The names of its suites and its own. */
      readonly fullName: string;
      readonly status: string;
      /** What was wrong, each with its stack; empty where nothing was. */
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** How a run of all tests ended. */
export interface Verdict {
  readonly passed: number;
  /** What failed and why, one each; includes skips without a permitted reason. */
  readonly failures: readonly string[];
  /** Tests that this machine cannot run; their names say why. */
  readonly skips: readonly string[];
}

/** What the name of a skipped test holds if the skip is permitted; see test/support/requires.ts. */
const PERMITTED = "cannot run here:";

/** Of what is told of a failure, in characters: the rest stands in the report. */
const MAX_REASON = 800;

/** Judges the tests of a report; undefined stands for a run that wrote none. */
export function judge(report: Report | undefined): Verdict {
  if (report === undefined) return { passed: 0, failures: ["the tests left no report"], skips: [] };
  const tests = report.testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults.map(({ fullName, status, failureMessages }) => ({
      name: `${file}: ${fullName}`,
      status,
      reasons: failureMessages.map(reasonOf),
    })),
  );
  const broken = report.testResults
    .filter(({ status, assertionResults }) => status === "failed" && assertionResults.length === 0)
    .map(({ name, message }) => `${name}: could not be loaded: ${message}`);
  const skipped = tests.filter(({ status }) => status !== "passed" && status !== "failed");
  return {
    passed: tests.filter(({ status }) => status === "passed").length,
    failures: [
      ...tests
        .filter(({ status }) => status === "failed")
        .map(({ name, reasons }) => [name, ...reasons].join(": ")),
      ...broken,
      ...skipped
        .filter(({ name }) => !name.includes(PERMITTED))
        .map(({ name }) => `${name}: skipped without a reason`),
    ],
    skips: skipped.filter(({ name }) => name.includes(PERMITTED)).map(({ name }) => name),
  };
}

/** On one line, without the stack. */
const reasonOf = (message: string): string =>
  message
    .replace(/\n\s+at [\s\S]*$/, "")
    .replace(/\s+/g, " ")
    .slice(0, MAX_REASON);
