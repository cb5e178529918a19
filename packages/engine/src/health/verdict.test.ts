import { healthcheckSchema, type HealthResult } from "@podfleet/model/container/healthcheck";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import { expect, test } from "vitest";

import { healthAfter } from "./verdict.ts";

const startedAt = "2026-01-01T00:00:00.000Z";
const healthcheck = healthcheckSchema.parse({
  command: ["true"],
  retries: 2,
  startPeriodMs: 10_000,
});

/** A check a number of seconds after the start. */
function result(seconds: number, exitCode: number | undefined): HealthResult {
  const at = new Date(Date.parse(startedAt) + seconds * 1_000).toISOString();
  return {
    startedAt: at,
    finishedAt: at,
    ...(exitCode === undefined ? {} : { exitCode }),
    output: "",
  };
}

const table: [string, [number, number | undefined][], string, number][] = [
  ["a success is enough", [[0, 0]], "healthy", 0],
  [
    "a failure in the start period does not count",
    [
      [0, 1],
      [5, 1],
      [9, 1],
    ],
    "starting",
    0,
  ],
  [
    "failures after it do",
    [
      [9, 1],
      [10, 1],
      [11, 1],
    ],
    "unhealthy",
    2,
  ],
  ["one less than the retries does not", [[10, 1]], "starting", 1],
  [
    "a success begins the count anew",
    [
      [10, 1],
      [11, 0],
      [12, 1],
    ],
    "healthy",
    1,
  ],
  [
    "once healthy, the start period is over",
    [
      [0, 0],
      [1, 1],
      [2, 1],
    ],
    "unhealthy",
    2,
  ],
  [
    "no end in time is a failure",
    [
      [11, undefined],
      [12, undefined],
    ],
    "unhealthy",
    2,
  ],
  [
    "an unhealthy one recovers",
    [
      [11, 1],
      [12, 1],
      [13, 0],
    ],
    "healthy",
    0,
  ],
];

test.each(table)("%s", (_name, checks, health, failingStreak) => {
  const after = checks
    .map(([seconds, exitCode]) => result(seconds, exitCode))
    .reduce((before, next) => healthAfter(before, next, { healthcheck, startedAt }), initialHealth);
  expect(after).toMatchObject({ health, healthLog: { failingStreak } });
});

test("the last five results are kept", () => {
  const results = Array.from({ length: 7 }, (_, seconds) => result(seconds, 0));
  const after = results.reduce(
    (before, next) => healthAfter(before, next, { healthcheck, startedAt }),
    initialHealth,
  );
  expect(after.healthLog.results).toEqual(results.slice(2));
});
