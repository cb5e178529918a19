import { expect, test } from "vitest";

import { readTally } from "./test-report.ts";

const counts = { numPassedTests: 2, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 };
const passed = { status: "passed", assertionResults: [{ status: "passed" }] };
const failed = { status: "failed", assertionResults: [{ status: "passed" }, { status: "failed" }] };
const unloadable = { status: "failed", assertionResults: [] };
const failedSetUp = { status: "failed", assertionResults: [{ status: "skipped" }] };

test.each([
  ["all passed", counts, [passed], { passed: 2, failed: 0, skipped: 1 }],
  ["a failed test", { ...counts, numFailedTests: 1 }, [passed, failed], { failed: 1 }],
  ["a file that cannot be loaded", counts, [passed, unloadable], { failed: 1 }],
  ["a set-up that failed", counts, [failedSetUp, unloadable], { failed: 2 }],
])("%s", (_name, totals, testResults, expected) => {
  expect(readTally(JSON.stringify({ ...totals, testResults }))).toMatchObject(expected);
});
