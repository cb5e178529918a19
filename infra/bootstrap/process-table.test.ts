import { spawn } from "node:child_process";
import { once } from "node:events";

import { expect, test } from "vitest";

import { processVersion, startTicksOf } from "./process-table.ts";

test("a process is known by its start time as long as it runs", async () => {
  // A name with a space and a parenthesis must not shift the fields of /proc/PID/stat.
  const program = 'process.title = "a) R b"; console.log("ready"); process.stdin.resume();';
  const child = spawn(process.execPath, ["--eval", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  const ticks = startTicksOf(pid);
  expect(ticks).toMatch(/^\d+$/);
  expect(startTicksOf(pid)).toBe(ticks);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(startTicksOf(pid)).toBeUndefined();
});

test("two processes have different start times or pids", () => {
  expect(startTicksOf(process.pid)).not.toBe(startTicksOf(1));
});

test("a version names all parts and shows none", () => {
  expect(processVersion("a", { secret: "b" })).toBe(processVersion("a", { secret: "b" }));
  expect(processVersion("a", { secret: "b" })).not.toBe(processVersion("a", { secret: "c" }));
  expect(processVersion("a", { secret: "hidden" })).not.toContain("hidden");
});
