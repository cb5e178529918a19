/** Ends what the containers of a fleet's host still have on the machine when a test file is over. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { hasErrno } from "@podfleet/base/errno";
import { waitFor } from "@podfleet/testkit/wait-for";

import { thawCgroup } from "./container-cgroup.ts";

export interface ContainerHost {
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly cgroupParent: string;
}

const run = promisify(execFile);
const cgroupMount = "/sys/fs/cgroup";

/** Kills the containers' processes, unmounts their root filesystems and removes the host's cgroup. No agent may run. */
export async function endRemains(host: ContainerHost): Promise<void> {
  await waitFor(() => killProcesses(host.cgroupParent) === 0, { what: "containers to end" });
  for (const mountPoint of mountPointsOf(host).toReversed()) await run("umount", [mountPoint]);
  for (const cgroup of [host.cgroupParent, `${host.cgroupParent}-monitors`]) {
    await waitFor(() => removeCgroups(cgroup), { what: "cgroups to be free" });
  }
}

/** @returns how many there were */
function killProcesses(cgroup: string): number {
  const folders = cgroupFolders(cgroup);
  const pids = folders.flatMap(pidsIn);
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
  // What is frozen does not even follow SIGKILL.
  thawCgroup(folders);
  return pids.length;
}

function pidsIn(folder: string): number[] {
  try {
    const lines = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n");
    return lines.filter((line) => line !== "").map(Number);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

function mountPointsOf({ dataRoot, runRoot }: ContainerHost): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const mountPoints = lines.flatMap((line) => line.split(" ")[4] ?? []);
  return mountPoints.filter((path) =>
    [dataRoot, runRoot].some((root) => path === root || path.startsWith(`${root}/`)),
  );
}

function removeCgroups(cgroup: string): true {
  for (const folder of cgroupFolders(cgroup).toReversed()) rmdirSync(folder);
  return true;
}

/** The cgroup and those below it in every hierarchy, parents before their children. */
function cgroupFolders(cgroup: string): string[] {
  const hierarchies = ["", ...foldersIn(cgroupMount)];
  const roots = hierarchies.map((hierarchy) => join(cgroupMount, hierarchy, cgroup));
  return roots.filter((folder) => existsSync(folder)).flatMap(withDescendants);
}

function withDescendants(folder: string): string[] {
  return [folder, ...foldersIn(folder).flatMap((name) => withDescendants(join(folder, name)))];
}

function foldersIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
