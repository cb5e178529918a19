/** What containers leave on the machine when their agents could not clean up: processes, mounts, cgroups. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { hasErrno } from "@podfleet/base/errno";
import { execa } from "execa";

import { planHosts } from "./agents.ts";
import { SetUpFailure } from "./failure.mjs";
import { cgroupRoot, dataRoot, runRoot } from "./paths.ts";

const cgroupMount = "/sys/fs/cgroup";

/** Kills whatever still runs in the hosts' cgroups, which hold containers and their monitors only. */
export async function killContainerProcesses(): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const pids = new Set(cgroupFolders().flatMap(pidsOf));
    if (pids.size === 0) return;
    if (performance.now() > deadlineMs) {
      throw new SetUpFailure(
        `Processes ${[...pids].join(", ")} of containers do not end even on SIGKILL: look at /proc/PID/stack, and reboot if the kernel holds them`,
      );
    }
    for (const pid of pids) kill(pid);
    await sleep(25);
  }
}

/** Unmounts what is mounted below podfleet's folders, innermost first. */
export async function unmountAll(): Promise<void> {
  for (const mountPoint of listMounts().toReversed()) {
    const result = await execa("umount", [mountPoint], { reject: false, timeout: 10_000 });
    if (result.exitCode === 0) continue;
    throw new SetUpFailure(
      `${mountPoint} cannot be unmounted (${result.stderr.trim()}): end the process that uses it, which "fuser -m ${mountPoint}" names, then run the command again`,
    );
  }
}

/** Removes the hosts' cgroups, and their parent unless other agents of this machine use it. No process may be left in them. */
export async function removeCgroups(): Promise<void> {
  for (const folder of cgroupFolders().toReversed()) await removeCgroup(folder);
  for (const parent of cgroupParents()) {
    if (foldersIn(parent).length === 0) await removeCgroup(parent);
  }
}

/** The hosts' cgroups in every hierarchy, parents before their children. */
function cgroupFolders(): string[] {
  const names = planHosts(true).flatMap(({ name }) => [name, `${name}-monitors`]);
  return cgroupParents()
    .flatMap((parent) => names.map((name) => join(parent, name)))
    .filter((folder) => existsSync(folder))
    .flatMap(withDescendants);
}

function cgroupParents(): string[] {
  if (!existsSync(cgroupMount)) return [];
  const hierarchies = ["", ...foldersIn(cgroupMount)];
  const parents = hierarchies.map((hierarchy) => join(cgroupMount, hierarchy, cgroupRoot));
  return parents.filter((folder) => existsSync(folder));
}

function withDescendants(folder: string): string[] {
  return [folder, ...foldersIn(folder).flatMap((name) => withDescendants(join(folder, name)))];
}

function foldersIn(folder: string): string[] {
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

/** The kernel keeps a cgroup busy for a moment after its last process has ended. */
async function removeCgroup(folder: string): Promise<void> {
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

/** Mount points below podfleet's folders, in the order in which they were mounted. */
function listMounts(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const mountPoints = lines.flatMap((line) => line.split(" ")[4] ?? []).map(unescapePath);
  return mountPoints.filter((path) =>
    [dataRoot, runRoot].some((folder) => path.startsWith(`${folder}/`)),
  );
}

/** proc_pid_mountinfo(5) writes a space in a path as `\040`. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
