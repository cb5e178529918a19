/** Processes in cgroups and the removal of cgroups, in version 1 and 2. */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { hasErrno } from "@podfleet/base/errno";

import { SetUpFailure } from "./failure.mjs";

/** Kills all processes in cgroups, frozen ones too. `list` is called again in each round. */
export async function endProcessesIn(list: () => readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const folders = list();
    const pids = new Set(folders.flatMap(pidsOf));
    if (pids.size === 0) return;
    if (performance.now() > deadlineMs) {
      throw new SetUpFailure(
        `Processes ${[...pids].join(", ")} of containers do not end even on SIGKILL: look at /proc/PID/stack, and reboot if the kernel holds them`,
      );
    }
    for (const pid of pids) kill(pid);
    for (const folder of folders) thaw(folder);
    await sleep(25);
  }
}

/** Removes a cgroup. Retries, because the kernel keeps it busy for a moment after its last process has ended. */
export async function removeCgroup(folder: string): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  for (;;) {
    try {
      return rmdirSync(folder);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return;
      if (!hasErrno(error, "EBUSY") || performance.now() > deadlineMs) throw error;
    }
    await sleep(25);
  }
}

/** @returns a cgroup and its descendants, parents before children */
export function withDescendants(folder: string): string[] {
  return [folder, ...foldersIn(folder).flatMap((name) => withDescendants(join(folder, name)))];
}

export function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function pidsOf(cgroup: string): number[] {
  try {
    const lines = readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n");
    return lines.filter((line) => line !== "").map(Number);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

/** Thaws a cgroup: in version 1 frozen processes do not even react to SIGKILL. */
function thaw(cgroup: string): void {
  for (const [file, state] of thawed) {
    const path = join(cgroup, file);
    if (existsSync(path)) writeFileSync(path, state);
  }
}

/** Freezer files of version 1 and 2. */
const thawed = [
  ["freezer.state", "THAWED"],
  ["cgroup.freeze", "0"],
] as const;
