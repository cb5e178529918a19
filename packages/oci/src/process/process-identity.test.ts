import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { TestProcess } from "@podfleet/testkit/test-process";
import { expect, test } from "vitest";

import { endProcess, findStartTicks, isAlive } from "./process-identity.ts";

test("a process is alive until it is ended", async () => {
  await using root = await createTempRoot("process");
  const sleeper = new TestProcess({
    name: "sleep",
    command: ["/bin/sleep", "60"],
    env: {},
    logPath: join(root.path, "log"),
  });
  sleeper.start();
  const { pid } = sleeper;
  const startTicks = findStartTicks(pid);
  invariant(startTicks !== undefined, "sleep runs");
  expect(isAlive({ pid, startTicks })).toBe(true);
  expect(isAlive({ pid, startTicks: startTicks - 1 })).toBe(false);
  await expect(endProcess({ pid, startTicks }, 5_000, systemClock)).resolves.toBe(true);
  await sleeper.end("SIGKILL");
  await expect(endProcess({ pid, startTicks }, 5_000, systemClock)).resolves.toBe(true);
});

test("a process that is not what it was is left alone", async () => {
  await expect(endProcess({ pid: process.pid, startTicks: 1 }, 0, systemClock)).resolves.toBe(true);
  expect(findStartTicks(process.pid)).toBeGreaterThan(0);
});
