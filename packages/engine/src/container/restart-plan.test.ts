import type { RestartPolicy } from "@podfleet/model/container/restart-policy";
import { expect, test } from "vitest";

import { type EndedRun, planRestart } from "./restart-plan.ts";

const run: EndedRun = {
  exitCode: 1,
  atMs: Date.parse("2026-01-01T00:00:00.000Z"),
  ranMs: 50,
  restartCount: 0,
  restartDelayMs: undefined,
};

test.each<[string, RestartPolicy, Partial<EndedRun>, boolean]>([
  ["no", { name: "no" }, {}, false],
  ["always, after success", { name: "always" }, { exitCode: 0 }, true],
  ["unless-stopped, after success", { name: "unless-stopped" }, { exitCode: 0 }, true],
  ["on-failure, after success", { name: "on-failure" }, { exitCode: 0 }, false],
  ["on-failure, after a failure", { name: "on-failure" }, { restartCount: 1_000 }, true],
  ["on-failure, exit unknown", { name: "on-failure" }, { exitCode: undefined }, true],
  ["on-failure:2, once", { name: "on-failure", retriesMax: 2 }, { restartCount: 1 }, true],
  ["on-failure:2, twice", { name: "on-failure", retriesMax: 2 }, { restartCount: 2 }, false],
])("%s: whether it starts again", (_name, policy, changes, starts) => {
  expect(planRestart(policy, { ...run, ...changes }) !== undefined).toBe(starts);
});

test.each<[string, Partial<EndedRun>, number]>([
  ["after a run that a user began", {}, 100],
  ["after the first restart", { restartDelayMs: 100 }, 200],
  ["at most a minute", { restartDelayMs: 51_200 }, 60_000],
  ["anew after a run of 10 s", { restartDelayMs: 51_200, ranMs: 10_000 }, 100],
])("%s: how long it waits", (_name, changes, delayMs) => {
  expect(planRestart({ name: "always" }, { ...run, ...changes })).toEqual({
    restartAt: new Date(run.atMs + delayMs).toISOString(),
    restartDelayMs: delayMs,
  });
});
