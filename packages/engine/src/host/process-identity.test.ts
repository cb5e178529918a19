import { spawn } from "node:child_process";
import { once } from "node:events";

import { systemClock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import { expect, test } from "vitest";

import { endProcess, findStartTicks, isAlive } from "./process-identity.ts";

test("a process is alive until it is ended", async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const exited = once(child, "exit");
  const { pid } = child;
  invariant(pid !== undefined, "sleep was spawned");
  const startTicks = findStartTicks(pid);
  invariant(startTicks !== undefined, "sleep runs");
  expect(isAlive({ pid, startTicks })).toBe(true);
  expect(isAlive({ pid, startTicks: startTicks - 1 })).toBe(false);
  await expect(endProcess({ pid, startTicks }, 5_000, systemClock)).resolves.toBe(true);
  await exited;
  expect(findStartTicks(pid)).toBeUndefined();
  await expect(endProcess({ pid, startTicks }, 5_000, systemClock)).resolves.toBe(true);
});

test("a process that is not what it was is left alone", async () => {
  await expect(endProcess({ pid: process.pid, startTicks: 1 }, 0, systemClock)).resolves.toBe(true);
  expect(findStartTicks(process.pid)).toBeGreaterThan(0);
});
