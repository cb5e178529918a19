/** Cleanup after agents that ended without cleaning up: processes, mounts and cgroups of containers. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";

import { planHosts } from "./agents.ts";
import { endProcessesIn, foldersIn, removeCgroup, withDescendants } from "./cgroup.ts";
import { SetUpFailure } from "./failure.mjs";
import { cgroupRoot, dataRoot, runRoot } from "./paths.ts";

const cgroupMount = "/sys/fs/cgroup";

/** Kills all processes in the hosts' cgroups, which hold only containers and their monitors. */
export async function killContainerProcesses(): Promise<void> {
  await endProcessesIn(cgroupFolders);
}

/** Unmounts everything below podfleet's folders, innermost first. */
export async function unmountAll(): Promise<void> {
  for (const mountPoint of listMounts().toReversed()) {
    const result = await execa("umount", [mountPoint], { reject: false, timeout: 10_000 });
    if (result.exitCode === 0) continue;
    throw new SetUpFailure(
      `${mountPoint} cannot be unmounted (${result.stderr.trim()}): end the process that uses it, which "fuser -m ${mountPoint}" names, then run the command again`,
    );
  }
}

/** Removes the hosts' cgroups, and their parent unless other agents on this machine use it. No process may be left in them. */
export async function removeCgroups(): Promise<void> {
  for (const folder of cgroupFolders().toReversed()) await removeCgroup(folder);
  for (const parent of cgroupParents()) {
    if (foldersIn(parent).length === 0) await removeCgroup(parent);
  }
}

/** @returns the hosts' cgroups in every hierarchy, parents before children */
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

/** @returns mount points below podfleet's folders in the order of mounting */
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
