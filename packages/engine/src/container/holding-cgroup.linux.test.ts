import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { readCgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const isHeld = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(`:${under.options.cgroupParent}-monitors`);

test("a monitor is moved away from the agent; one that an earlier engine has not moved, by the next", async () => {
  const id = await under.run("sleep 600");
  const { monitorPid = 0, pid = 0 } = under.snapshot(id);
  await waitFor(() => isHeld(monitorPid), { what: "the monitor in its cgroup" });
  expect(isHeld(pid)).toBe(false);
  await under.close();
  const { legacy, unified } = await readCgroupHierarchies();
  for (const { directory } of [...legacy, ...(unified ? [unified] : [])]) {
    writeFileSync(join(directory, "cgroup.procs"), String(monitorPid));
  }
  expect(isHeld(monitorPid)).toBe(false);
  await under.reopen();
  await waitFor(() => isHeld(monitorPid), { what: "the monitor in its cgroup again" });
});

test("monitors that have ended before they were moved are no failure", async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, async () => await under.run("true")));
  for (const id of ids) expect(await under.exited(id)).toMatchObject({ exitCode: 0 });
});
