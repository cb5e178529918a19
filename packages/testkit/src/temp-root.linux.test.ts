import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { createTempRoot, findLeaks } from "./temp-root.ts";

/** The mount point of a hierarchy of cgroup version 1, or else of version 2. */
const hierarchy = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].find((path) => existsSync(path)) ?? "";

const run = promisify(execFile);

test("mounts, processes and cgroups that remain are named; without them the folder goes", async () => {
  const root = await createTempRoot("leaks");
  expect(await findLeaks(root.path)).toEqual([]);

  const target = join(root.path, "mounted");
  await mkdir(target);
  await run("mount", ["-t", "tmpfs", "tmpfs", target]);
  const sleeper = spawn("sleep", ["60"], { cwd: root.path, stdio: "ignore" });
  await once(sleeper, "spawn");
  const cgroupParent = "/podfleet-temp-root-test";
  const cgroup = join(hierarchy, cgroupParent, "container");
  await mkdir(cgroup, { recursive: true });

  expect(await findLeaks(root.path, cgroupParent)).toEqual([
    `mount ${target}`,
    `process ${sleeper.pid} (sleep 60)`,
    `cgroup ${cgroup}`,
  ]);

  await run("umount", [target]);
  sleeper.kill("SIGKILL");
  await once(sleeper, "exit");
  await rmdir(cgroup);
  await rmdir(join(hierarchy, cgroupParent));
  await root[Symbol.asyncDispose]();
  expect(existsSync(root.path)).toBe(false);
});
