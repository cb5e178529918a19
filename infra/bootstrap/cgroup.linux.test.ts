import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { endProcessesIn, removeCgroup, withDescendants } from "./cgroup.ts";

const legacy = "/sys/fs/cgroup/freezer";
const hierarchy = existsSync(legacy) ? legacy : "/sys/fs/cgroup";

test("what runs in cgroups is ended, frozen or not, and the cgroups go", async () => {
  const parent = join(hierarchy, `podfleet-cgroup-test-${process.pid}`);
  const frozen = join(parent, "frozen");
  mkdirSync(frozen, { recursive: true });
  const processes = [parent, frozen].map((cgroup) => {
    const child = spawn("sleep", ["600"]);
    writeFileSync(join(cgroup, "cgroup.procs"), String(child.pid));
    return once(child, "exit");
  });
  const [file, state] = hierarchy === legacy ? ["freezer.state", "FROZEN"] : ["cgroup.freeze", "1"];
  writeFileSync(join(frozen, file), state);
  await endProcessesIn(() => withDescendants(parent));
  const ends = await Promise.all(processes);
  expect(ends.map(([, signal]) => signal)).toEqual(["SIGKILL", "SIGKILL"]);
  for (const folder of withDescendants(parent).toReversed()) await removeCgroup(folder);
  expect(existsSync(parent)).toBe(false);
});
